"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component, Kind, OptionSpec
from zoo_core.host.hookspecs import hookimpl
from zoo_images.format_spec import ImageFormatSpec


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Pictures, their further file formats, and data sets that torchvision reads from disk."""
    sets = "zoo_images.sources.torchvision_sets"
    return [
        Kind(
            "image-format",
            "zoo_images.formats:ImageFormat",
            "File formats of pictures",
            spec=ImageFormatSpec,
        ),
        ImageFormatSpec(
            "numpy",
            "zoo_images.numpy_files:NumpyFormat",
            "NumPy arrays (H, W), (H, W, C) or (N, H, W)",
            suffixes=(".npy",),
            signatures=((0, b"\x93NUMPY"),),
        ),
        OptionSpec(
            "range",
            "zoo_images.values:parse_range",
            "Pictures: values of black and white.",
            metavar="LOW,HIGH",
        ),
        OptionSpec(
            "largest",
            "zoo_images.options:megapixels",
            "Pictures: most megapixels of an input.",
            metavar="MEGAPIXELS",
        ),
        OptionSpec(
            "alpha",
            "zoo_images.transparency:parse_alpha",
            "Pictures: transparency put back (keep, the default), or flattened on a ground.",
            metavar="keep|white|black",
        ),
        Component("codec", "image", "zoo_images.codec:ImageCodec", "RGB pictures in [-1, 1]"),
        Component(
            "source",
            "attribute-list",
            "zoo_images.sources.attribute_lists:AttributeLists",
            "A list of what pictures show: CelebA's list_attr*.txt, labels.csv, .tsv or .parquet",
        ),
        Component(
            "source", "mnist", f"{sets}:mnist", "MNIST, padded to 32×32; ROOT holds MNIST/raw"
        ),
        Component(
            "source", "usps", f"{sets}:usps", "USPS, 16×16; ROOT holds usps.bz2 and usps.t.bz2"
        ),
    ]
