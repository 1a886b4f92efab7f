"""Priors on a hub: ``owner/name@revision``, through huggingface_hub, whose cache serves where there is no network."""

from pathlib import Path

from step.config.pretrained import ON_HUB
from step.errors import InputError
from step.io.prior_folders import copy_prior, read_prior_facts, verify_prior


def fetch_from_hub(source: str, output: Path) -> None:
    """Write the prior ``owner/name@revision`` to the folder `output`, whole, once its digests are right.

    Raises `InputError` where `source` is not such a name, the hub cannot be reached and its cache has nothing, there
    is no such repository or revision, or what is there is no whole prior.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name = ON_HUB.fullmatch(source)
    if name is None:
        raise InputError(f"{source!r} is neither a folder nor a prior on a hub; give a folder, or owner/name@revision")
    try:
        fetched = Path(snapshot_download(name["repository"], revision=name["revision"]))
    except LocalEntryNotFoundError:
        raise InputError(
            f"{source} is not in the cache and the hub cannot be reached; fetch it where there is a network, or copy "
            "the folder here and name it"
        ) from None
    except HfHubHTTPError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{source} could not be fetched: {reason}; check owner, name and revision") from None
    read_prior_facts(fetched)
    verify_prior(fetched)
    copy_prior(fetched, output)
