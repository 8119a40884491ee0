"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl
from zoo_images.format_spec import ImageFormatSpec


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Two formats of medical pictures."""
    return [
        ImageFormatSpec(
            "dicom",
            "zoo_medical.dicom:DicomFormat",
            "DICOM slices, and files of many frames",
            suffixes=(".dcm", ".dicom", ".ima"),
            signatures=((128, b"DICM"),),
        ),
        ImageFormatSpec(
            "nifti",
            "zoo_medical.nifti:NiftiFormat",
            "NIfTI volumes, axial slice by axial slice",
            suffixes=(".nii", ".nii.gz"),
            signatures=((344, b"n+1\0"), (4, b"n+2\0")),
        ),
    ]
