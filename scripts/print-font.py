"""Prints src/frames/font-data.ts: the ASCII letters of DejaVu Sans Condensed as grey pictures.

usage: python3 scripts/print-font.py DejaVuSansCondensed.ttf > src/frames/font-data.ts
Needs Pillow. DejaVu is free to use, embed and redistribute (Bitstream Vera licence).
"""
import base64
import sys
import zlib

from PIL import Image, ImageDraw, ImageFont

SIZE, WIDTH, HEIGHT = 15, 17, 20
font = ImageFont.truetype(sys.argv[1], SIZE)
advances, pixels = [], bytearray()
for code in range(32, 127):
    cell = Image.new("L", (WIDTH, HEIGHT), 0)
    ImageDraw.Draw(cell).text((1, 1), chr(code), fill=255, font=font)
    advances.append(round(font.getlength(chr(code))))
    # 16 levels are enough for smooth edges and halve the size.
    pixels += bytes(round(value / 17) * 17 for value in cell.tobytes())
packed = base64.b64encode(zlib.compress(bytes(pixels), 9)).decode()
print("/** Letters 32..126 of DejaVu Sans Condensed, 15 pixels; printed by scripts/print-font.py. */")
print(f"export const GLYPH_WIDTH = {WIDTH};")
print(f"export const GLYPH_HEIGHT = {HEIGHT};")
print("/** Pixels from one letter to the next. */")
print("export const ADVANCES: readonly number[] = [")
for start in range(0, len(advances), 24):
    print("  " + ", ".join(str(a) for a in advances[start : start + 24]) + ",")
print("];")
print("/** Coverage 0..255, [letter][height][width], deflated, in base64. */")
print("export const GLYPHS =")
lines = [packed[i : i + 92] for i in range(0, len(packed), 92)]
print("\n".join(f"  '{line}'" + (" +" if i < len(lines) - 1 else ";") for i, line in enumerate(lines)))
