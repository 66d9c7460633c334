"""Reads an export with pyarrow, polars, pandas and duckdb, and compares every value with what the server answered.

    exported_files.py EXPORT FORMAT ANSWERS

ANSWERS holds, for each group, what `larder scan GROUP --format json` printed, as GROUP.jsonl. Each tool must give the same rows with
its own types: decimals as decimals, times as times, vectors as vectors, missing values as null, statuses as words.
"""

import datetime
import decimal
import json
import pathlib
import sys

import duckdb
import numpy
import pandas
import polars
import pyarrow
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet


def is_equal(found, kind, answer):
    """Whether a value of any tool is what the server answered for a column of this type; its numbers are text here."""
    if found is None or found is pandas.NA or found is pandas.NaT:
        return answer is None
    if kind.startswith("f32["):
        return len(found) == len(answer) and all(is_equal(*pair) for pair in zip(found, ["f32"] * len(found), answer))
    if kind.startswith("decimal"):
        return isinstance(found, decimal.Decimal) and str(found) == answer
    if kind == "timestamp":
        assert found.tzinfo is not None, f"{found} has no time zone"
        return found == datetime.datetime.fromisoformat(answer)
    if kind == "bytes":
        return bytes(found).hex() == answer
    if kind == "f32":
        return numpy.float32(found) == numpy.float32(answer)
    if kind == "f64":
        return float(found) == float(answer)
    if kind == "i64":
        return int(found) == int(answer) and not isinstance(found, float)
    return found == answer


def read_answers(file):
    """Values and statuses by key, and by column."""
    rows = [json.loads(line, parse_float=str, parse_int=str) for line in file.read_text().splitlines()]
    return {row["key"]: (row["values"], row["status"]) for row in rows}


def with_pyarrow(files, form):
    read = pyarrow.feather.read_table if form == "arrow" else pyarrow.parquet.read_table
    tables = [read(file) for file in files]
    assert tables[0].schema.metadata[b"larder.group"], "the schema says what it is of"
    return pyarrow.concat_tables(tables).to_pylist()


def with_polars(files, form):
    read = polars.read_ipc if form == "arrow" else polars.read_parquet
    return polars.concat([read(file) for file in files]).to_dicts()


def with_pandas(files, form):
    read = pandas.read_feather if form == "arrow" else pandas.read_parquet
    frames = [read(file, dtype_backend="pyarrow") for file in files]
    frame = pandas.concat(frames)
    return [dict(zip(frame.columns, row)) for row in frame.itertuples(index=False, name=None)]


def with_duckdb(files, form):
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    if form == "arrow":
        exported = pyarrow.dataset.dataset([str(file) for file in files], format="ipc")
        found = db.execute("SELECT * FROM exported")
    else:
        found = db.execute("SELECT * FROM read_parquet($files)", {"files": [str(file) for file in files]})
    names = [column[0] for column in found.description]
    return [dict(zip(names, row)) for row in found.fetchall()]


def main():
    export, form, answers = sys.argv[1:]
    export, answers = pathlib.Path(export), pathlib.Path(answers)
    manifest = json.loads((export / "manifest.json").read_text())
    compared = statuses_compared = 0
    for group in manifest["groups"]:
        expected = read_answers(answers / f"{group['group']}.jsonl")
        files = [export / file["path"] for file in group["files"]]
        columns = group["columns"]
        keys = [column["name"] for column in columns if column["role"] == "entity_key"]
        features = [column for column in columns if column["role"] == "feature"]
        with_status = {column["name"] for column in columns if column["role"] == "status"}
        for tool in (with_pyarrow, with_polars, with_pandas, with_duckdb):
            rows = tool(files, form)
            assert len(rows) == len(expected), f"{tool.__name__}: {len(rows)} rows of {len(expected)}"
            for row in rows:
                key = "|".join(str(row[name]) for name in keys)
                values, statuses = expected[key]
                for column in features:
                    name = column["name"]
                    what = f"{tool.__name__} {form} {group['group']} {key} {name}"
                    found, answer = row[name], values[name]
                    assert is_equal(found, column["type"], answer), f"{what}: {found!r} instead of {answer!r}"
                    compared += 1
                    if f"{name}__status" in with_status:
                        found = row[f"{name}__status"]
                        assert found == statuses[name], f"{what}: {found!r} instead of {statuses[name]!r}"
                        statuses_compared += 1
    assert compared > 0 and statuses_compared > 0
    print(f"{compared} values and {statuses_compared} statuses are equal")


main()
