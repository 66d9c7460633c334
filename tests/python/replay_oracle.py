"""Compares a training set of `larder replay` with DuckDB's range joins over the same events.

    replay_oracle.py EVENTS SPINE RESULT KEY TIME VALUE WINDOW:HOP[,WINDOW:HOP…]

The independent oracle: nothing of it is Larder's but the bounds of docs/semantics.md,

    floor((x - W) / g) * g  <=  event time  <  x = as-of + 1

Columns of the result are n_W, sum_W, avg_W, min_W, max_W and std_W for each window. Whole numbers must be equal, floats to 12 digits:
DuckDB adds floats up in an order of its own.
"""

import sys

import duckdb

MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def span(text):
    return int(text[:-1]) * MS[text[-1]]


def main():
    events, spine, result, key, time, value, windows = sys.argv[1:]
    db = duckdb.connect()
    db.execute(f"CREATE TABLE events AS SELECT {key} AS key, epoch_ms({time}) AS ts, {value} AS value FROM '{events}'")
    # The result has the spine's rows in the spine's order.
    db.execute(f"CREATE TABLE result AS SELECT row_number() OVER () AS row, * FROM '{result}'")
    db.execute(
        f"CREATE TABLE spine AS SELECT row_number() OVER () AS row, {key} AS key, epoch_ms(as_of) + 1 AS x FROM '{spine}'"
    )
    (in_spine,), (in_result,) = (db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("spine", "result"))
    assert in_spine == in_result, f"{in_spine} rows asked for, {in_result} given"
    compared = 0
    for window in windows.split(","):
        name, hop = window.split(":")
        length, hop = span(name), span(hop)
        rows = db.execute(
            f"""
            SELECT s.row, r.n_{name}, r.sum_{name}, r.avg_{name}, r.min_{name}, r.max_{name}, r.std_{name},
                count(e.value), coalesce(sum(e.value), 0), avg(e.value), min(e.value), max(e.value), stddev_samp(e.value)
            FROM spine s JOIN result r ON r.row = s.row
            LEFT JOIN events e ON e.key = s.key
                AND e.ts >= floor((s.x - {length}) / {float(hop)})::BIGINT * {hop} AND e.ts < s.x
            GROUP BY ALL ORDER BY s.row"""
        ).fetchall()
        assert len(rows) == in_spine, f"{len(rows)} rows joined of {in_spine}"
        for row, *values in rows:
            for feature, given, wanted in zip(("n", "sum", "avg", "min", "max", "std"), values[:6], values[6:]):
                same = given == wanted
                if feature in ("avg", "std") and given is not None and wanted is not None:
                    same = abs(given - wanted) <= 1e-12 * max(1.0, abs(wanted)) + (1e-6 if feature == "std" else 0)
                assert same, f"row {row}: {feature}_{name} is {given}, DuckDB says {wanted}"
                compared += 1
    print(f"{compared} values equal")


if __name__ == "__main__":
    main()
