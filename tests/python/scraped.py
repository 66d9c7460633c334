"""A scrape is read by Prometheus' own parser, and is as its rules for names and histograms have it: scraped.py FILE"""

import sys

from prometheus_client.parser import text_string_to_metric_families

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
families = list(text_string_to_metric_families(text))
assert len(families) > 40, f"{len(families)} families"
seen = set()
for family in families:
    assert family.name not in seen, f"{family.name} twice"
    seen.add(family.name)
    assert family.name.startswith("larder_"), family.name
    assert family.documentation.endswith("."), f"{family.name}: {family.documentation!r}"
    assert family.type in ("counter", "gauge", "histogram"), f"{family.name} is a {family.type}"
    assert family.samples, f"{family.name} has no samples"
    assert len({(s.name, tuple(sorted(s.labels.items()))) for s in family.samples}) == len(family.samples)
    if family.type == "counter":
        assert all(s.name == family.name + "_total" and s.value >= 0 for s in family.samples), family
    if family.type != "histogram":
        continue
    series = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", None)
        one = series.setdefault(tuple(sorted(labels.items())), {"buckets": []})
        if bound is None:
            one[sample.name.removeprefix(family.name)] = sample.value
        else:
            one["buckets"].append((float(bound), sample.value))
    for labels, one in series.items():
        bounds = [bound for bound, _ in one["buckets"]]
        counts = [count for _, count in one["buckets"]]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf"), f"{family.name}{labels}: {bounds}"
        assert counts == sorted(counts), f"{family.name}{labels}: {counts} does not rise"
        assert counts[-1] == one["_count"], f"{family.name}{labels}"
        assert (one["_sum"] > 0) == (one["_count"] > 0), f"{family.name}{labels}"
