"""Sample preparation: from the words of a methods section to steps, a check, linked data and SPW.

The text is written here; yours may be a Word file, a table, Markdown, or JSON of protocols.io or of
EMPIAR's Specimen Preparation Widget.
"""

from __future__ import annotations

import json
from pathlib import Path

from clemkit.metadata.models import build, canonical, to_plain
from clemkit.metadata.protocols.check import check_protocol
from clemkit.metadata.protocols.linked import linked_text
from clemkit.metadata.protocols.prose import methods_paragraph
from clemkit.metadata.protocols.readers import read_protocol
from clemkit.metadata.protocols.spw import to_spw
from clemkit.metadata.protocols.step_words import class_words, step_words
from clemkit.metadata.rdf import parse

OUTPUT = Path("example-output") / "05"
OUTPUT.mkdir(parents=True, exist_ok=True)

# --- a protocol as people write it
source = OUTPUT / "brain.txt"
source.write_text(
    "Vibratome sections were fixed in 2.5 % glutaraldehyde in 0.1 M cacodylate buffer (pH 7.4) "
    "for 2 h at 4 °C, and washed 3 x 10 min in cacodylate buffer.\n"
    "They were postfixed in 2 % osmium tetroxide for 90 min at RT, rinsed in ddH2O 3 x 5 min, and "
    "incubated in 1 % uranyl acetate overnight at 4 °C.\n"
    "They were dehydrated in 50, 70, 90 and 100 % ethanol, 10 min each, infiltrated with Durcupan "
    "for 12 h, and cured at 60 °C for 48 h.\n",
    encoding="utf-8",
)

# --- steps, with the words that each value was read from
reading = read_protocol(source)
experiment = build(reading.data)
data = to_plain(experiment)
protocol, reagents = data["protocols"][0], data["reagents"]
names = {r["id"]: r["name"] for r in reagents}
for number, step in enumerate(protocol["steps"], 1):
    print(f"{number:2}  {class_words(step['type']):18} {step_words(step, names)}")
first = protocol["steps"][0]["spans"][-1]
print(f"read at {first['span_start']}: {first['verbatim']!r} by rule {first['rule_name']}")

# --- what a colleague would ask about it
for problem in (*reading.findings, *check_protocol(protocol, reagents)):
    print(problem)

# --- linked data, and back without loss
text = linked_text(experiment)
(OUTPUT / "brain.ttl").write_text(text, encoding="utf-8")
print(f"linked data come back equal: {parse(text) == canonical(experiment)}")

# --- for EMPIAR's widget; what its form cannot hold stands in the notes, and is said
writing = to_spw(data)
(OUTPUT / "brain.spw.json").write_text(json.dumps(writing.document, indent=2), encoding="utf-8")
print(f"widget: {len(writing.document['data'])} steps, {len(writing.findings)} remarks")

# --- for the paper
print(methods_paragraph(protocol, data))
