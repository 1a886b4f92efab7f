"""Small raw files with known images, written as ehtim, ipole, BHAC and numpy users write them.

An image is (y, x) as displayed, in Jy per pixel: row 0 is the top.
"""

from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

UAS = np.pi / 180 / 3600e6
SGR_A = {"L_unit": 6.116e11, "M_unit": 1e18, "T_unit": 20.4, "dsource": 2.5e22}


def flux_images(n_frames: int = 4, shape: tuple[int, int] = (10, 10), seed: int = 0) -> np.ndarray:
    """Return positive images (time, y, x) that no flip or transposition leaves as they are."""
    images = np.random.default_rng(seed).uniform(0.5, 1, (n_frames, *shape))
    return 2.4 * images / images.sum((1, 2), keepdims=True)


def write_ehtim(path: Path, frames: np.ndarray, times_h: np.ndarray, **header: object) -> Path:
    """Write a movie as ehtim's `save_mov_hdf5` does, `np.string_` being `np.bytes_` by now."""
    values = {"mjd": 57850, "psize": 2 * UAS, "source": "SgrA", "ra": 17.76, "dec": -29.0, "rf": 230e9}
    values |= {"polrep": "stokes", "pol_prim": "I"} | header
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        head = file.create_dataset("header", (0,), dtype="S10")
        for name, value in values.items():
            if value is not None:
                head.attrs[name] = np.bytes_(str(value))
        file.create_dataset("times", data=times_h, dtype="f8")
        file.create_dataset("I", data=frames, dtype="f8")
        file.create_dataset("V", data=0.01 * frames, dtype="f8")
    return path


def ipole_values(image: np.ndarray, pixel_uas: float = 2.0, time_m: float = 100.0) -> dict[str, object]:
    """Return what an ipole file of `image` holds, by name."""
    n_y, n_x = image.shape
    sides = {axis: n * pixel_uas for axis, n in (("x", n_x), ("y", n_y))}
    scale = (pixel_uas * UAS) ** 2 * 1e23
    pol = np.zeros((n_x, n_y, 5))
    pol[:, :, 0] = image[::-1].T / scale
    pol[:, :, 1:] = 0.1 * pol[:, :, :1]
    values = {"pol": pol, "unpol": pol[:, :, 0], "fluxes_nu": image.sum()}
    values |= {"header/scale": scale, "header/freqcgs": 230e9, "header/t": time_m, "header/dsource": SGR_A["dsource"]}
    values |= {f"header/units/{name}": SGR_A[name] for name in ("L_unit", "M_unit", "T_unit")}
    for axis, side in sides.items():
        values[f"header/camera/n{axis}"] = {"x": n_x, "y": n_y}[axis]
        values[f"header/camera/d{axis}"] = side * UAS * SGR_A["dsource"] / SGR_A["L_unit"]
        values[f"header/camera/fov{axis}_dsource"] = side
    return values


def write_ipole(path: Path, image: np.ndarray, pixel_uas: float = 2.0, time_m: float = 100.0, **changes) -> Path:
    """Write an image as ipole does; `changes` replaces entries by the last part of their names, None leaves one out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, value in ipole_values(image, pixel_uas, time_m).items():
            value = changes.get(name.split("/")[-1], value)
            if value is not None:
                file[name] = value
    return path


def write_fits(path: Path, image: np.ndarray, pixel_uas: float = 2.0, planes: int | None = None, **header) -> Path:
    """Write an image as BHAC does, or, given `planes`, a cube with Stokes I first; None leaves a card out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = image[::-1] if planes is None else image[::-1] * np.array([1, 0.1, 0.2, 0.3])[:planes, None, None]
    hdu = fits.PrimaryHDU(np.ascontiguousarray(data))
    cards = {"CDELT1": -np.rad2deg(pixel_uas * UAS), "CDELT2": np.rad2deg(pixel_uas * UAS), "BUNIT": "JY/PIXEL"}
    cards |= {"FREQ": 230e9, "OBSRA": 266.4, "OBSDEC": -29.0, "OBJECT": "SgrA"}
    for name, value in (cards | header).items():
        if value is not None:
            hdu.header[name] = value
    hdu.writeto(path, overwrite=True)
    return path


def write_npy(path: Path, image: np.ndarray) -> Path:
    """Write an image as the paper's authors keep theirs: (1, y, x)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, image[None])
    return path
