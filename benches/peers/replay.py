"""A training set of 30 features by Larder, Polars and DuckDB, from the same files, in turns.

    python3 -m venv target/peers && target/peers/bin/pip install polars duckdb pyarrow
    target/peers/bin/python benches/peers/replay.py target/replay-files --full --runs 2

Without `--full` a hundredth of 10 million events and a million rows. Larder is the `release` build of `benches/examples/replay.rs`,
which also makes the files. `larder`, `polars` or `duckdb` as arguments: only these. `--seconds N`: who has not finished by then is
given up (900).

All compute exact windows, the others from one millisecond to the other; Larder's snap outward to a hop. So the work is the same and
the values are not: equality is tested elsewhere, with the bounds of docs/semantics.md. `--events-max N` leaves out cards of more
events than that, for Polars and DuckDB.

Prints CPU seconds (user and system, all threads) and the peak of memory of each, in a process of its own.
"""

import multiprocessing
import resource
import subprocess
import sys
import time

WINDOWS = {"5m": 300_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000}


def polars(directory, events_max):
    import polars as pl

    events, spine = tables_of_polars(pl, directory, events_max)
    union = pl.concat(
        [
            events.select("card", pl.col("ts").alias("at"), "amount", pl.lit(None, pl.UInt32).alias("row")),
            spine.with_row_index("row").select(
                "card", pl.col("as_of").alias("at"), pl.lit(None, pl.Float64).alias("amount"), "row"
            ),
        ]
    ).sort("card", "at", "row", nulls_last=False)
    amount, out = pl.col("amount"), []
    for name, span in WINDOWS.items():
        rolled = union.rolling("at", period=f"{span}ms", closed="right", group_by="card").agg(
            amount.count().alias(f"n_{name}"),
            amount.sum().alias(f"sum_{name}"),
            amount.mean().alias(f"avg_{name}"),
            amount.min().alias(f"min_{name}"),
            amount.max().alias(f"max_{name}"),
            amount.std().alias(f"std_{name}"),
        )
        # One row for each of the union, which is sorted as they are.
        rolled = rolled.drop("card", "at").with_columns(union["row"])
        out.append(rolled.filter(pl.col("row").is_not_null()).sort("row"))
    result = pl.concat([out[0], *(part.drop("row") for part in out[1:])], how="horizontal")
    result.write_parquet(f"{directory}/polars.parquet")
    return result.height


def tables_of_polars(pl, directory, events_max):
    events = pl.read_parquet(f"{directory}/events.parquet").with_columns(
        pl.col("ts").cast(pl.Datetime("ms")), pl.col("amount").cast(pl.Float64)
    )
    spine = pl.read_parquet(f"{directory}/spine.parquet").with_columns(pl.col("as_of").cast(pl.Datetime("ms")))
    if events_max:
        few = events.group_by("card").len().filter(pl.col("len") <= events_max).select("card")
        events, spine = events.join(few, on="card", how="semi"), spine.join(few, on="card", how="semi")
    return events, spine


def duckdb(directory, events_max):
    import duckdb as db

    connection = db.connect()
    few = ""
    if events_max:
        few = (
            f"WHERE card IN (SELECT card FROM '{directory}/events.parquet' GROUP BY card HAVING count(*) <= {events_max})"
        )
    connection.execute(
        f"""CREATE TABLE all_rows AS
        SELECT card, epoch_ms(ts) AS moment, amount::DOUBLE AS amount, NULL::BIGINT AS row
        FROM '{directory}/events.parquet' {few}
        UNION ALL
        SELECT card, epoch_ms(as_of), NULL, row_number() OVER () FROM '{directory}/spine.parquet' {few}"""
    )
    frames = ", ".join(
        f"w{name} AS (PARTITION BY card ORDER BY moment RANGE BETWEEN {span - 1} PRECEDING AND CURRENT ROW)"
        for name, span in WINDOWS.items()
    )
    columns = ", ".join(
        f"count(amount) OVER w{w}, sum(amount) OVER w{w}, avg(amount) OVER w{w}, "
        f"min(amount) OVER w{w}, max(amount) OVER w{w}, stddev(amount) OVER w{w}"
        for w in WINDOWS
    )
    connection.execute(
        f"""COPY (SELECT * FROM (SELECT row, {columns} FROM all_rows WINDOW {frames}) WHERE row IS NOT NULL ORDER BY row)
        TO '{directory}/duckdb.parquet' (FORMAT parquet)"""
    )
    return connection.execute(f"SELECT count(*) FROM '{directory}/duckdb.parquet'").fetchone()[0]


def measure(name, directory, events_max):
    """Runs one of them in this process and prints what it took."""
    start = time.monotonic()
    rows = {"polars": polars, "duckdb": duckdb}[name](directory, events_max)
    wall, usage = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{name}: {rows} rows, {cpu:.1f} CPU s, {wall:.1f} s, {usage.ru_maxrss / 1024:.0f} MiB at most", flush=True)


def larder(directory, is_full):
    command = "cargo run --quiet --release -p larder-benches --example replay -- --files".split()
    subprocess.run([*command, directory, *(["--full"] if is_full else [])], check=True)


def option(arguments, name, default):
    """Takes `name N` out of the arguments."""
    if name not in arguments:
        return default
    at = arguments.index(name)
    value = int(arguments[at + 1])
    del arguments[at : at + 2]
    return value


def main():
    arguments = sys.argv[1:]
    events_max = option(arguments, "--events-max", 0)
    runs, seconds = option(arguments, "--runs", 1), option(arguments, "--seconds", 900)
    is_full = "--full" in arguments
    directory, *names = [argument for argument in arguments if argument != "--full"]
    for _ in range(runs):
        for name in names or ["larder", "polars", "duckdb"]:
            if name == "larder":
                larder(directory, is_full)
                continue
            spawning = multiprocessing.get_context("spawn")
            process = spawning.Process(target=measure, args=(name, directory, events_max))
            process.start()
            process.join(seconds)
            if process.is_alive():
                process.kill()
                process.join()
                print(f"{name}: not finished after {seconds} s, given up", flush=True)


if __name__ == "__main__":
    main()
