"""Every key of the configuration as Markdown: what config/README.md holds."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from step.config.study import BASE_CONFIG, Config

DEMO_CONFIG = BASE_CONFIG.with_name("demo.yaml")

INTRODUCTION = """\
# The configuration

`config.yaml` describes the study of the paper, with every value of its Tables 2 and 3. Any other file is
overlaid on it, mapping by mapping, and says only what differs: `snakemake --configfile config/demo.yaml`, or
`python -m step STAGE --config config/demo.yaml`. Several files are overlaid on each other in their order. A
list replaces the whole list below it.

`schema.json` is for editors that know the YAML language server: with `# yaml-language-server: $schema=schema.json` (the
path of the file) in the first line they complete keys, show what they mean, and mark a bad value while it is typed.

* Every key has one meaning and one unit, and none has a default outside `config.yaml`. An unknown or misspelt
  key, a value of the wrong type and one out of range end the run with one line that names key and value.
* Each stage sees exactly the values that it uses. An edited value makes stale the stages that use it and all
  that come after them, and nothing else; comments and the order of keys change nothing.
* Names of domains, tasks and methods become names of files: lower-case letters, digits and underscores.
* YAML reads `1e-3` as text; write `1.0e-3`. It reads a bare `no` as false; write `'no'`.
* "Table 2" and "Table 3" are the paper's, and the symbols are its symbols. Values that stand in these tables
  are marked `T2` and `T3` in `config.yaml`; the others the paper does not give, or gives in its text alone.
* Noise levels and steps of the sampler are in units of the latent, which has mean 0 and variance 1 per
  channel where `standardise_latents` is true.

## For your own study

* **Your own simulations or scans** to learn from: `data.<domain>.root` and the keys next to it, which say what lies
  there and how it becomes videos. How many there are to train on and to test with: `videos`, `images`, `split`.
* **Your own instrument**: a task of its own under `tasks`, with `measurement` and `sampler`; another array, cadence,
  acceleration or observing time is a change of keys alone.
* **Your own measurement**: an entry under `observations`, which names a task (its forward model, its domain's priors,
  its sampler), a method, and the files. `config/sgra_2017.yaml` is an example for visibilities; for k-space `data` is,
  say, `{format: cmrxrecon, kspace: cine_sax.mat, mask: cine_sax_mask.mat, slice: 3, first_frame: 0, outside: {scale:
  estimate}, pixel_mm: null, frame_s: null}`. `snakemake ... observations` makes them all, and `all` includes them.

## Noise levels: the paper's, the authors' and ours

`sampler.likelihood` holds what the sampler assumes of the measurement. One number means three things, so that they
stand side by side:

| | Table 2 | the authors' configuration | here |
| --- | --- | --- | --- |
| data term | not given | squares / tau^2, no half | squares / (2 noise_level^2) |
| transform (MRI) | not given | unnormalised | orthonormal: 1 / N of the squares, N = 192 x 192 |
| MRI | tau 0.01 | tau 0.10 | `noise_level` 0.10 / sqrt(2 N) = 3.68e-4 |
| black hole | tau 0.02 | tau 0.021 | `noise_level` 0.021 / sqrt(2) = 0.0148, a factor on the data's errors |
| bound | not given | gradient of the squares within 1 | `gradient_bound` 1 / tau^2: 100 (MRI), 2268 (black hole) |
| annealing | K levels | K steps from 100 to 0.01, no last point | the same: to 0.0245 (K = 20), 0.0206 (K = 25) |

Where Table 2 and the authors' configuration disagree (MRI: 0.01 and 0.10), `config.yaml` has what is in effect in the
configuration. A test holds that these values give the authors' gradients.

## The keys

The tables below are printed by `python -m step describe --keys`, and a test holds that they are up to date.
`<domain>`, `<task>`, `<method>`, `<sampler>`, `<reference>`, `<architecture>`, `<observation>`, `<posterior>`,
`<ablation>`, `<size>`, `<table>`, `<station>` and `<key>` stand for names;
a value that differs between names is given for each. The column `demo.yaml` has only what the demo changes.
"""

# What the keys of a mapping are: a section that is written once for each name.
NAMES_OF = {
    "priors": "<domain>",
    "tasks": "<task>",
    "methods": "<method>",
    "observations": "<observation>",
    "posteriors": "<posterior>",
    "ablations": "<ablation>",
    "descriptors": "<domain>",
    "tables": "<table>",
    "sizes": "<size>",
    "frames": "<task>",
    "sides": "<task>",
    "samplers": "<sampler>",
    "architectures": "<architecture>",
    "own": "<key>",
    "station_systematic": "<station>",
    "classical": "<reference>",
}


@dataclass(frozen=True)
class Key:
    """One key: where it stands (`path`, with a placeholder for a name), what it takes and what it means."""

    path: tuple[str, ...]
    kind: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """The keys of one section."""

    title: str
    meaning: str
    keys: list[Key]


def keys_as_markdown(study: Config, others: Mapping[str, Config]) -> str:
    """Return all keys with their values in `study` and, where they differ, in `others` (by file name)."""
    below = study.model_dump(mode="json")
    above = {file: other.model_dump(mode="json") for file, other in others.items()}
    parts = [INTRODUCTION]
    for table in tables():
        parts.append(f"## {table.title}\n\n{table.meaning}\n")
        if table.keys:
            titles = ["key", "takes", BASE_CONFIG.name, *above, "meaning"]
            rows = [
                titles,
                ["---"] * len(titles),
                *(_cells(key, below, above.values()) for key in table.keys),
            ]
            parts.append("\n".join(map(_row, rows)) + "\n")
    return "\n".join(parts)


def _cells(key: Key, below: dict, above: Iterable[dict]) -> list[str]:
    """Return the row of a key: its value in the study `below`, and what those `above` it change."""
    value = _values(below, key.path)
    changes = [_changes(value, _values(values, key.path)) for values in above]
    return [
        _dotted(key.path),
        key.kind,
        *(_in_code(values, len(value)) for values in (value, *changes)),
        key.meaning,
    ]


def tables() -> list[Table]:
    """Return the sections of the configuration and their keys, in the order of the file."""
    schema = Config.model_json_schema()
    return list(_walk((), schema, "Top level", schema["description"], schema["$defs"]))


def _walk(path: tuple[str, ...], section: dict, title: str, meaning: str, named: dict) -> Iterator[Table]:
    """Yield the table of a section and those of the sections in it; `named` holds what is referred to."""
    own, inner = [], []
    for name, field in section.get("properties", {}).items():
        place = (*path, name)
        of_each = field.get("patternProperties", {})
        if of_each:
            place = (*place, NAMES_OF[name])
        either = field.get("oneOf", field.get("anyOf", ()))
        admitted = [one for one in (field, *of_each.values(), *either) if "$ref" in one]
        sections = [named[one["$ref"].removeprefix("#/$defs/")] for one in admitted]
        sections += [field] if "properties" in field else []
        for one in sections:
            title_of_one = _dotted(place) + (f" ({one['title']})" if len(sections) > 1 else "")
            inner.append((place, one, title_of_one, field.get("description", one.get("description")), named))
        if not sections:
            [kind] = of_each.values() or [field]
            own.append(Key(place, in_words(kind), field.get("description", "")))
    yield Table(title, _sentence(meaning), own)
    for arguments in inner:
        yield from _walk(*arguments)


def _dotted(path: tuple[str, ...]) -> str:
    return f"`{'.'.join(path)}`"


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return f"{text[0].upper()}{text[1:].removesuffix('.')}."


def in_words(field: dict[str, Any]) -> str:
    """Return what a field's JSON schema admits, in words."""
    if "anyOf" in field:
        return ", or ".join(in_words(one) for one in field["anyOf"])
    if "const" in field or "enum" in field:
        *names, last = (f"`{name}`" for name in field.get("enum", [field.get("const")]))
        return f"{', '.join(names)} or {last}" if names else last
    match field["type"]:
        case "array" if "prefixItems" in field:
            return "list of " + " and ".join(in_words(one) for one in field["prefixItems"])
        case "array":
            return f"list of ({in_words(field['items'])})"
        case "integer" | "number" as kind:
            return " ".join(["whole number" if kind == "integer" else "number", *_bounds(field)])
        case "boolean":
            return "`true` or `false`"
        case "null":
            return "`null`"
    return "name" if "pattern" in field else field.get("format", "text")


def _bounds(field: dict[str, Any]) -> list[str]:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return [f"{word} {field[bound]:g}" for bound, word in words.items() if bound in field]


def _values(values: Any, path: tuple[str, ...]) -> dict[tuple[str, ...], Any]:
    """Return the values at `path`, where there are, by the names that stand for its placeholders."""
    found: dict[tuple[str, ...], Any] = {(): values}
    for part in path:
        if part in NAMES_OF.values():
            found = {(*names, name): value for names, of in found.items() for name, value in of.items()}
        else:
            found = {names: of[part] for names, of in found.items() if part in (of or {})}
    return found


def _changes(below: dict, above: dict) -> dict:
    """Return the values of `above` that are not those of `below`."""
    return {names: value for names, value in above.items() if names not in below or below[names] != value}


def _in_code(values: dict[tuple[str, ...], Any], n_names: int) -> str:
    """Return values by name as Markdown; one alone, without names, if all `n_names` of them have it."""
    texts: dict[str, list[str]] = {}
    for names, value in values.items():
        texts.setdefault(f"`{_as_yaml(value)}`", []).append(".".join(names))
    if len(texts) == 1 and len(values) == n_names:
        return next(iter(texts))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())


def _as_yaml(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
