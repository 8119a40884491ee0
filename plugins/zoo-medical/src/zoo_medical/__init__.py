"""DICOM and NIfTI as file formats of pictures."""
