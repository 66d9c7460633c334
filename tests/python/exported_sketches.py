"""Opens exported partials with the datasketches package, and merges them.

    exported_sketches.py FILE.arrow COLUMN EXACT UNION

Each sketch of COLUMN estimates what the column itself says, exactly up to EXACT values; all of them together hold UNION different
values.
"""

import sys

import datasketches
import pyarrow.feather


def main():
    file, column, exact, union = sys.argv[1:]
    table = pyarrow.feather.read_table(file)
    merged = datasketches.hll_union(16)
    for count, sketch in zip(table[column].to_pylist(), table[f"{column}__hll"].to_pylist()):
        sketch = datasketches.hll_sketch.deserialize(sketch)
        allowed = 1e-4 if count <= int(exact) else 0.05
        found = sketch.get_composite_estimate() if hasattr(sketch, "get_composite_estimate") else sketch.get_estimate()
        assert abs(found - count) <= allowed * max(count, 1), f"{found} instead of {count}"
        merged.update(sketch)
    found = merged.get_estimate()
    assert abs(found - int(union)) <= 0.05 * int(union), f"{found} instead of {union} in all"


main()
