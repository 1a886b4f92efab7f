"""Data, networks and their training, next to the paper's (Table 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from step.config.priors import OURS, DomainPriors
from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.errors import InputError
from step.io.tables import read_table
from step.products import About, Documents, Paper
from step.tables.document import Document, Part, write_document
from step.tables.paper import IN_THE_PAPER, domain_label, read_paper_settings
from step.tables.settings import (
    PaperSettings,
    Setting,
    number_in,
    setting_columns,
    setting_lines,
    short_text,
    tidy_settings,
)

MEBI = 2**20  # the paper's M, in which its networks have 14.8 M and 131.7 M parameters

NETWORKS = ("autoencoder", "image", "video", "joint")
"""The networks of a domain, in the order in which their records are read."""

TRAINING_COLUMNS = ("network", "parameters", "videos", "images", "steps", "hours", "device")

TRAINING = (
    Setting("frames", "frames", "Dataset related"),
    Setting("resolution", "resolution"),
    Setting("images", "images"),
    Setting("videos", "videos"),
    Setting("latent_channels", "latent channels", "VAE training related"),
    Setting("autoencoder_block_channels", "block channels"),
    Setting("downsampling", "down sampling factor"),
    Setting("autoencoder_batch_size", "batch size"),
    Setting("autoencoder_epochs", "epochs"),
    Setting("kl_weight", "KL weight β"),
    Setting("denoiser_block_channels", "block channels", "IDM training related"),
    Setting("image_batch_size", "batch size"),
    Setting("image_epochs", "epochs"),
    Setting("p_joint", "probability of videos", "Joint fine-tuning related"),
    Setting("joint_batch_size", "batch size"),
    Setting("joint_epochs", "epochs"),
    Setting("video_batch_size", "batch size", "Training on videos alone"),
    Setting("video_epochs", "epochs"),
    Setting("autoencoder_parameters", "VAE parameters [M of 2^20]", "Other info"),
    Setting("denoiser_parameters", "diffusion model parameters [M of 2^20]"),
    Setting("autoencoder_hours", "VAE training time [h]"),
    Setting("image_hours", "image diffusion model training time [h]"),
    Setting("joint_hours", "joint fine-tuning time [h]"),
    Setting("video_hours", "training time on videos alone [h]"),
    Setting("device", "device"),
)
"""The rows of Table 3, and of ours what the paper does not tell."""


class PriorsOfDomain(Section):
    """Videos and priors of one domain."""

    domain: Name
    frames: Count
    resolution: Count
    videos: Annotated[int, Field(ge=0)]
    images: Count
    held_out: Count
    priors: DomainPriors


class TrainingTableSettings(Section):
    """The domains of the whole study's tasks, in their order."""

    domains: tuple[PriorsOfDomain, ...]


Settings = TrainingTableSettings


def select(config: Config) -> TrainingTableSettings:
    """Return the domains of the tasks of the whole study."""
    domains = dict.fromkeys(config.tasks[task].domain for task in config.targets.all)
    return TrainingTableSettings(domains=tuple(_priors_of(config, domain) for domain in domains))


@dataclass(frozen=True)
class Files:
    """The model folders of the domains' networks, and the table of them."""

    networks: Annotated[
        Mapping[tuple[str, str], Path],
        About(
            help="a domain, one of its networks and its model folder; once per network",
            words=("DOMAIN", "PRIOR", "FOLDER"),
        ),
    ]
    paper: Paper
    output: Documents


def tabulate(files: Files, settings: TrainingTableSettings) -> None:
    """Write the table; raises `InputError` where a network is of another domain, or a domain has none."""
    folders = _folders_by_domain(files.networks, [of.domain for of in settings.domains])
    domains = [TrainedDomain(**{**dict(of), "records": _read_records(folders[of.domain])}) for of in settings.domains]
    paper = read_paper_settings(read_table(files.paper), "table3", str(files.paper))
    write_document(training_document("Table 3: data and training", domains, paper), files.output)


@dataclass(frozen=True)
class TrainedDomain:
    """One domain: what its priors are set to, and what the training of each network came to."""

    domain: str
    frames: int
    resolution: int
    videos: int  # to train on, at most
    images: int
    held_out: int  # units of the data that are not trained on
    priors: DomainPriors
    records: Mapping[str, Mapping[str, str]]  # by network


def check_training(record: Mapping[str, str], source: str) -> Mapping[str, str]:
    """Return the `record` of a training; raises `InputError`, naming `source`, for a missing column or no number."""
    missing = [column for column in TRAINING_COLUMNS if column not in record]
    if missing:
        raise InputError(f"{source} has no {missing[0]}; train the prior again")
    for column in ("parameters", "videos", "images", "hours"):
        number_in(record, column, source)
    return record


def training_document(title: str, domains: Sequence[TrainedDomain], paper: PaperSettings) -> Document:
    """Return Table 3: data, networks and their training."""
    values = {of.domain: _training_values(of) for of in domains}
    names = {of.domain: domain_label(of.domain) for of in domains}
    same = {domain: domain for domain in values}
    part = Part(
        "Data and training",
        setting_columns(names),
        setting_lines(TRAINING, values, same, paper),
        (
            "Images, videos, parameters and times are measured: what a network was trained on, and all its runs "
            "together.",
            *(_bounds_note(of) for of in domains),
            f"Columns “{IN_THE_PAPER}” are the paper's own values, of its data, sizes and machine.",
        ),
    )
    return Document(title, (part,), tuple(tidy_settings(TRAINING, values, same, paper, "")))


def _priors_of(config: Config, domain: str) -> PriorsOfDomain:
    video = config.video_format(domain)
    return PriorsOfDomain(
        domain=domain,
        **{name: getattr(video, name) for name in ("frames", "resolution", "videos", "images")},
        held_out=video.split.n_held_out,
        priors=config.priors[domain],
    )


def _folders_by_domain(given: Mapping[tuple[str, str], Path], domains: list[str]) -> dict[str, dict[str, Path]]:
    """Return the model folders of each domain; raises `InputError` unless they are of just these `domains`."""
    folders: dict[str, dict[str, Path]] = {domain: {} for domain in domains}
    for (domain, network), folder in given.items():
        if domain not in folders or network not in NETWORKS:
            raise InputError(f"--network {domain} {network}: give each of {NETWORKS} once, of the domains {domains}")
        folders[domain][network] = folder
    missing = [domain for domain, of_domain in folders.items() if not of_domain]
    if missing:
        raise InputError(f"there is no network of {missing[0]}; give it with --network {missing[0]} PRIOR FOLDER")
    return folders


def _read_records(folders: dict[str, Path]) -> dict[str, Mapping[str, str]]:
    """Return the record of each network's training."""
    records = {}
    for network in sorted(folders, key=NETWORKS.index):
        file = folders[network] / "training.csv"
        rows = read_table(file)
        if len(rows) != 1:
            raise InputError(f"{file} has {len(rows)} rows instead of one; train the prior again")
        records[network] = check_training(rows[0], str(file))
    return records


def _bounds_note(of: TrainedDomain) -> str:
    if of.priors.pretrained is not None:
        return (
            f"{domain_label(of.domain)}: the prior is pretrained, so that images, videos, parameters and times are of "
            "its training, while all else is what the configuration says of one, which was not run."
        )
    return (
        f"{domain_label(of.domain)}: at most {of.videos:,} videos and {of.images:,} images are allowed, which are "
        f"upper bounds: {of.held_out} units of the data are held out, and nothing of theirs is trained on."
    )


def _training_values(of: TrainedDomain) -> dict[str, str]:
    priors, side = of.priors, of.resolution
    values = {
        "frames": str(of.frames),
        "resolution": f"{side}x{side}",
        "latent_channels": str(priors.autoencoder.latent_channels),
        "autoencoder_block_channels": str(list(priors.autoencoder.block_channels)),
        "downsampling": str(priors.autoencoder.downsampling),
        "kl_weight": short_text(priors.autoencoder_training.kl_weight),
        "denoiser_block_channels": str(list(priors.denoiser.block_channels)) if priors.architecture == OURS else "",
        "p_joint": short_text(priors.joint.p_joint),
    }
    trainings = {"autoencoder": priors.autoencoder_training}
    trainings |= {name: getattr(priors, name) for name in ("image", "video", "joint")}
    for network, record in of.records.items():
        optimisation = trainings[network].optimisation
        values[f"{network}_batch_size"] = str(optimisation.batch_size)
        values[f"{network}_epochs"] = short_text(optimisation.epochs)
        values[f"{network}_hours"] = f"{float(record['hours']):.3g}"
        parameters = "autoencoder_parameters" if network == "autoencoder" else "denoiser_parameters"
        # The paper counts the spatiotemporal network, which comes after the image network.
        values[parameters] = f"{float(record['parameters']) / MEBI:.4g}"
        values |= {"images": record["images"], "videos": record["videos"]}
    values["device"] = "; ".join(dict.fromkeys(record["device"] for record in of.records.values()))
    return values
