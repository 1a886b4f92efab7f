"""Settings and costs beside the paper's: of sampling (Table 2), and of data and training (Table 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from step.config.priors import OURS, DomainPriors
from step.config.tasks import Sampler
from step.errors import InputError
from step.figures import style
from step.tables.document import NOTHING, Cell, Document, Line, Part
from step.tables.paper import IN_THE_PAPER, domain_label, task_label

MEBI = 2**20  # the paper's M, in which its networks have 14.8 M and 131.7 M parameters

CostRow = Mapping[str, str]
"""The row of one job's table of costs, as text."""

PaperSettings = Mapping[tuple[str, str], str]
"""The paper's values by domain and row."""

COST_COLUMNS = (
    "videos",
    "samples",
    "seconds",
    "peak_memory_gb",
    "device",
    "threads",
    "decoder_evaluations",
    "denoiser_evaluations",
)
TRAINING_COLUMNS = ("network", "parameters", "videos", "images", "steps", "hours", "device")


@dataclass(frozen=True)
class Setting:
    """A row of a table of settings: its key in the paper's table, its name, and the heading above it, if any."""

    key: str
    label: str
    heading: str = ""


SAMPLING = (
    Setting("ode_steps", "number of steps", "PF-ODE related"),
    Setting("hmc_steps", "number of steps", "HMC related"),
    Setting("damping", "scaling factor γ"),
    Setting("step_size_squared", "step size square η"),
    Setting("noise_level", "observation noise level τ"),
    Setting("annealing_levels", "number of steps K", "Decoupled annealing related"),
    Setting("final_time", "final time"),
    Setting("decoder_evaluations", "decoder NFE, counted", "Inference related"),
    Setting("ode_evaluations", "diffusion model NFE, PF-ODE alone"),
    Setting("denoiser_evaluations", "diffusion model NFE, all, counted"),
    Setting("seconds_per_sample", "time per sample [s]"),
    Setting("memory", "memory [GB]"),
    Setting("device", "device"),
)
"""The rows of Table 2, and of ours what the paper does not count."""

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


@dataclass(frozen=True)
class Cost:
    """What one method's sampling took, over all its jobs."""

    seconds_per_sample: float
    memory_gb: float  # of the job that took most
    device: str
    decoder_evaluations: float  # per sample
    denoiser_evaluations: float  # per sample


@dataclass(frozen=True)
class SampledTask:
    """One task: what its sampler is set to, and what each method took."""

    task: str
    domain: str
    sampler: Sampler
    costs: Mapping[str, Cost]


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


def add_costs(rows: Sequence[CostRow], source: str) -> Cost:
    """Return what the jobs in `rows` took together; raises `InputError`, naming `source`, for a missing column."""
    missing = [column for column in COST_COLUMNS if any(column not in row for row in rows)]
    if missing or not rows:
        raise InputError(f"{source} has no {missing[0] if missing else 'rows'}; sample again")
    draws = [_numeric(row, "videos", source) * _numeric(row, "samples", source) for row in rows]
    counts = {}
    for column in ("decoder_evaluations", "denoiser_evaluations"):
        total = sum(n * _numeric(row, column, source) for n, row in zip(draws, rows, strict=True))
        counts[column] = total / sum(draws)
    return Cost(
        seconds_per_sample=sum(_numeric(row, "seconds", source) for row in rows) / sum(draws),
        memory_gb=max(_numeric(row, "peak_memory_gb", source) for row in rows),
        device="; ".join(dict.fromkeys(f"{row['device']}, threads: {row['threads']}" for row in rows)),
        **counts,
    )


def check_training(record: Mapping[str, str], source: str) -> Mapping[str, str]:
    """Return the `record` of a training; raises `InputError`, naming `source`, for a missing column or no number."""
    missing = [column for column in TRAINING_COLUMNS if column not in record]
    if missing:
        raise InputError(f"{source} has no {missing[0]}; train the prior again")
    for column in ("parameters", "videos", "images", "hours"):
        _numeric(record, column, source)
    return record


def cost_document(title: str, tasks: Sequence[SampledTask], method: str, paper: PaperSettings) -> Document:
    """Return Table 2: settings and costs of `method`, then the time that every method takes."""
    values = {of.task: _sampling_values(of, method) for of in tasks}
    domains = {of.task: of.domain for of in tasks}
    names = {of.task: task_label(of.task) for of in tasks}
    name = _label(method)
    settings = Part(
        f"Sampling: settings, and costs of {name}",
        _columns(names),
        _setting_lines(SAMPLING, values, domains, paper),
        (
            "Costs are measured: evaluations are of a whole video and per sample, times without the start of a job, "
            "memory is the peak of the job that took most.",
            f"Columns “{IN_THE_PAPER}” are the paper's own values, of its data, sizes and machine.",
        ),
    )
    rows = _tidy_settings(SAMPLING, values, domains, paper, method)
    rows += [
        _tidy_row(of.task, other, "seconds_per_sample", f"{cost.seconds_per_sample}", "")
        for of in tasks
        for other, cost in of.costs.items()
        if other != method
    ]
    return Document(title, (settings, _time_part(tasks, method, paper)), tuple(rows))


def training_document(title: str, domains: Sequence[TrainedDomain], paper: PaperSettings) -> Document:
    """Return Table 3: data, networks and their training."""
    values = {of.domain: _training_values(of) for of in domains}
    names = {of.domain: domain_label(of.domain) for of in domains}
    same = {domain: domain for domain in values}
    part = Part(
        "Data and training",
        _columns(names),
        _setting_lines(TRAINING, values, same, paper),
        (
            "Images, videos, parameters and times are measured: what a network was trained on, and all its runs "
            "together.",
            *(_bounds_note(of) for of in domains),
            f"Columns “{IN_THE_PAPER}” are the paper's own values, of its data, sizes and machine.",
        ),
    )
    return Document(title, (part,), tuple(_tidy_settings(TRAINING, values, same, paper, "")))


def _bounds_note(of: TrainedDomain) -> str:
    return (
        f"{domain_label(of.domain)}: at most {of.videos:,} videos and {of.images:,} images are allowed, which are "
        f"upper bounds: {of.held_out} units of the data are held out, and nothing of theirs is trained on."
    )


def _sampling_values(of: SampledTask, method: str) -> dict[str, str]:
    sampler, cost = of.sampler, of.costs[method]
    return {
        "ode_steps": str(sampler.ode.steps),
        "hmc_steps": str(sampler.mcmc.steps),
        "damping": _short(sampler.mcmc.damping),
        "step_size_squared": _short(sampler.mcmc.step_size_squared),
        "noise_level": _short(sampler.likelihood.noise_level),
        "annealing_levels": str(sampler.annealing.levels),
        "final_time": _short(sampler.annealing.sigma_max),
        "decoder_evaluations": _short(cost.decoder_evaluations),
        "ode_evaluations": str(sampler.annealing.levels * sampler.ode.steps),
        "denoiser_evaluations": _short(cost.denoiser_evaluations),
        "seconds_per_sample": f"{cost.seconds_per_sample:.4g}",
        "memory": f"{cost.memory_gb:.3g}",
        "device": cost.device,
    }


def _training_values(of: TrainedDomain) -> dict[str, str]:
    priors, side = of.priors, of.resolution
    values = {
        "frames": str(of.frames),
        "resolution": f"{side}x{side}",
        "latent_channels": str(priors.autoencoder.latent_channels),
        "autoencoder_block_channels": str(list(priors.autoencoder.block_channels)),
        "downsampling": str(priors.autoencoder.downsampling),
        "kl_weight": _short(priors.autoencoder_training.kl_weight),
        "denoiser_block_channels": str(list(priors.denoiser.block_channels)) if priors.architecture == OURS else "",
        "p_joint": _short(priors.joint.p_joint),
    }
    trainings = {"autoencoder": priors.autoencoder_training}
    trainings |= {name: getattr(priors, name) for name in ("image", "video", "joint")}
    for network, record in of.records.items():
        optimisation = trainings[network].optimisation
        values[f"{network}_batch_size"] = str(optimisation.batch_size)
        values[f"{network}_epochs"] = _short(optimisation.epochs)
        values[f"{network}_hours"] = f"{float(record['hours']):.3g}"
        parameters = "autoencoder_parameters" if network == "autoencoder" else "denoiser_parameters"
        # The paper counts the spatiotemporal network, which comes after the image network.
        values[parameters] = f"{float(record['parameters']) / MEBI:.4g}"
        values |= {"images": record["images"], "videos": record["videos"]}
    values["device"] = "; ".join(dict.fromkeys(record["device"] for record in of.records.values()))
    return values


def _time_part(tasks: Sequence[SampledTask], method: str, paper: PaperSettings) -> Part:
    """Return the time that each method takes; the paper tells it of its own method alone."""
    lines = []
    for other in dict.fromkeys(name for of in tasks for name in of.costs):
        cells = [Cell(_label(other))]
        for of in tasks:
            ours = f"{of.costs[other].seconds_per_sample:.4g}" if other in of.costs else NOTHING
            theirs = paper.get((of.domain, "seconds_per_sample"), NOTHING) if other == method else NOTHING
            cells += [Cell(ours), Cell(theirs, "paper")]
        lines.append(tuple(cells))
    names = {of.task: task_label(of.task) for of in tasks}
    return Part("Time per sample [s] of every method", _columns(names), tuple(lines), _devices(tasks))


def _devices(tasks: Sequence[SampledTask]) -> tuple[str, ...]:
    devices = dict.fromkeys(cost.device for of in tasks for cost in of.costs.values())
    return (f"On: {'; '.join(devices)}.",)


def _columns(names: Mapping[str, str]) -> tuple[str, ...]:
    return ("", *(column for name in names.values() for column in (name, f"{name}, {IN_THE_PAPER}")))


def _setting_lines(
    settings: Sequence[Setting],
    values: Mapping[str, Mapping[str, str]],
    domains: Mapping[str, str],
    paper: PaperSettings,
) -> tuple[Line, ...]:
    lines: list[Line] = []
    for setting in settings:
        if setting.heading:
            lines.append((Cell(setting.heading),))
        cells = [Cell(setting.label)]
        for column, of_column in values.items():
            cells.append(Cell(of_column.get(setting.key, NOTHING)))
            cells.append(Cell(paper.get((domains[column], setting.key), NOTHING), "paper"))
        lines.append(tuple(cells))
    return tuple(lines)


def _tidy_settings(
    settings: Sequence[Setting],
    values: Mapping[str, Mapping[str, str]],
    domains: Mapping[str, str],
    paper: PaperSettings,
    method: str,
) -> list[dict[str, str]]:
    return [
        _tidy_row(
            column, method, setting.key, of_column.get(setting.key, ""), paper.get((domains[column], setting.key), "")
        )
        for column, of_column in values.items()
        for setting in settings
    ]


def _tidy_row(column: str, method: str, key: str, ours: str, theirs: str) -> dict[str, str]:
    return {"column": column, "method": method, "row": key, "ours": ours, "paper": theirs}


def _label(method: str) -> str:
    return " ".join(style.label(method).split())


def _short(value: float) -> str:
    return f"{value:.6g}"


def _numeric(row: Mapping[str, str], column: str, source: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise InputError(f"{column} in {source} is {row[column]!r}, no number; run the stage that writes it") from None
