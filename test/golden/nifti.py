"""Prints test/golden/nifti.json: small files of every voxel type as nibabel writes them, in base64.

usage: python3 test/golden/nifti.py > test/golden/nifti.json
"""
import base64
import gzip
import json

import nibabel
import numpy as np

files = []


def add(name, image, header_type, order, values, dtype, slope=None, inter=None, zoom=None, units=None):
    header = header_type(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    header.set_data_shape(image)
    if zoom:
        header.set_zooms(zoom)
    if units:
        header.set_xyzt_units(*units)
    header.set_slope_inter(slope or 1, inter or 0)
    header["magic"] = b"n+1" if header_type is nibabel.Nifti1Header else header["magic"]
    header["vox_offset"] = 352 if header_type is nibabel.Nifti1Header else 544
    raw = np.asarray(values).astype(np.dtype(dtype).newbyteorder(order))
    file = header.binaryblock + bytes(4) + raw.tobytes()
    shown = [float(v) * (slope or 1) + (inter or 0) for v in values]
    seconds = None
    if units and len(image) > 3:
        seconds = zoom[3] * {"sec": 1, "msec": 1e-3, "usec": 1e-6}[units[1]]
    files.append({
        "name": name,
        "bytes": base64.b64encode(gzip.compress(file, mtime=0)).decode(),
        "shape": list(image),
        "values": shown,
        "zoom": [round(float(z), 6) for z in header.get_zooms()[:3]],
        "seconds": seconds,
    })


one, two = nibabel.Nifti1Header, nibabel.Nifti2Header
counting = list(range(6))
for dtype in ["uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64", "int64", "uint64"]:
    for order in "<>":
        add(f"{dtype} {order}", (3, 2), one, order, counting, dtype)
add("scaled", (3, 2), one, "<", counting, "int16", slope=0.5, inter=-1.25)
add("nifti-2", (3, 2), two, "<", counting, "float32")
add("nifti-2 big", (3, 2), two, ">", counting, "int16", slope=2.0, inter=1.0)
add("sequence", (1, 2, 1, 3), one, "<", counting, "uint8", zoom=(0.3, 0.4, 1, 20), units=("mm", "msec"))
add("seconds", (1, 2, 1, 3), one, ">", counting, "int16", zoom=(0.3, 0.4, 1, 0.04), units=("mm", "sec"))
print(json.dumps(files, indent=0))
