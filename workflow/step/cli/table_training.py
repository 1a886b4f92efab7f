"""Write the table of data, networks and their training, beside the paper's (Table 3)."""

import argparse
from pathlib import Path

from step.cli.files import add_tables
from step.config.priors import DomainPriors
from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.errors import InputError

NETWORKS = ("autoencoder", "image", "video", "joint")
"""The networks of a domain, in the order in which their records are read."""


class PriorsOfDomain(Section):
    """Videos and priors of one domain."""

    domain: Name
    frames: Count
    resolution: Count
    videos: Count
    images: Count
    held_out: Count
    priors: DomainPriors


class Settings(Section):
    """The domains of the whole study's tasks, in their order."""

    domains: tuple[PriorsOfDomain, ...]


def select(config: Config) -> Settings:
    """Return the domains of the tasks of the whole study."""
    domains = dict.fromkeys(config.tasks[task].domain for task in config.targets.all)
    return Settings(domains=tuple(_priors_of(config, domain) for domain in domains))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument(
        "--network",
        required=True,
        dest="networks",
        action="append",
        nargs=3,
        metavar=("DOMAIN", "PRIOR", "FOLDER"),
        help="a domain, one of its networks and its model folder; once per network",
    )
    parser.add_argument("--paper", required=True, type=Path, metavar="CSV", help="the paper's settings")
    add_tables(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table; raises `InputError` where a network is of another domain, or a domain has none."""
    from step.io.tables import read_table
    from step.tables.document import write_document
    from step.tables.paper import read_paper_settings
    from step.tables.settings import TrainedDomain, training_document

    folders = _folders_by_domain(arguments.networks, [of.domain for of in settings.domains])
    domains = [TrainedDomain(**{**dict(of), "records": _read_records(folders[of.domain])}) for of in settings.domains]
    paper = read_paper_settings(read_table(arguments.paper), "table3", str(arguments.paper))
    write_document(training_document("Table 3: data and training", domains, paper), arguments.output)


def _priors_of(config: Config, domain: str) -> PriorsOfDomain:
    video = config.video_format(domain)
    return PriorsOfDomain(
        domain=domain,
        **{name: getattr(video, name) for name in ("frames", "resolution", "videos", "images")},
        held_out=video.split.n_held_out,
        priors=config.priors[domain],
    )


def _folders_by_domain(groups: list[list[str]], domains: list[str]) -> dict[str, dict[str, Path]]:
    """Return the model folders of each domain; raises `InputError` unless they are of just these `domains`."""
    folders: dict[str, dict[str, Path]] = {domain: {} for domain in domains}
    for domain, network, folder in groups:
        if domain not in folders or network not in NETWORKS or network in folders[domain]:
            raise InputError(f"--network {domain} {network}: give each of {NETWORKS} once, of the domains {domains}")
        folders[domain][network] = Path(folder)
    missing = [domain for domain, of_domain in folders.items() if not of_domain]
    if missing:
        raise InputError(f"there is no network of {missing[0]}; give it with --network {missing[0]} PRIOR FOLDER")
    return folders


def _read_records(folders: dict[str, Path]) -> dict[str, dict[str, str]]:
    """Return the record of each network's training."""
    from step.io.tables import read_table
    from step.tables.settings import check_training

    records = {}
    for network in sorted(folders, key=NETWORKS.index):
        file = folders[network] / "training.csv"
        rows = read_table(file)
        if len(rows) != 1:
            raise InputError(f"{file} has {len(rows)} rows instead of one; train the prior again")
        records[network] = check_training(rows[0], str(file))
    return records
