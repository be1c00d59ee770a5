/** Letters 32..126 of DejaVu Sans Condensed, 15 pixels; printed by scripts/print-font.py. */
export const GLYPH_WIDTH = 17;
export const GLYPH_HEIGHT = 20;
/** Pixels from one letter to the next. */
export const ADVANCES: readonly number[] = [
  4, 5, 6, 11, 9, 13, 11, 4, 5, 5, 7, 11, 4, 5, 4, 5, 9, 9, 9, 9, 9, 9, 9, 9,
  9, 9, 5, 5, 11, 11, 11, 7, 14, 9, 9, 9, 10, 9, 8, 10, 10, 4, 4, 9, 8, 12, 10, 11,
  8, 11, 9, 9, 8, 10, 9, 13, 9, 8, 9, 5, 5, 5, 11, 7, 7, 8, 9, 7, 9, 8, 5, 9,
  9, 4, 4, 8, 4, 13, 9, 8, 9, 9, 6, 7, 5, 9, 8, 11, 8, 8, 7, 9, 5, 9, 11,
];
/** Coverage 0..255, [letter][height][width], deflated, in base64. */
export const GLYPHS =
  'eNrtXYt55CgMdgtqgRZogRZogRZogRZogRZogRZogRY4hGfGksjGl83Lkw1fbr+LYmNG/vUWzLb9jouOZgWhu/cTlkmr' +
  'EQSnzhZWTxd21ZGcroyQnW5vJABs6hecbOiIP2T4iD+M8fhzHyrnVvBH33nqfHOhOYI9m/HnuEXFiD/wAHLfhyfYBuhA' +
  'l1U2U15d1mUGaEkI/HcTa6Ri51rIgfBnK07cUoIg2F4yF3YdWs/isYpriDFHIdKdrI6uE/y70nrhsyqx9JXwJQIEwB/l' +
  'WkOsuHT/e1PQxjVVHXDZxkc5EIK6omqoQDSfrVsgkNM5a1XBpEiAF91gYkwbmWc8FfqhU+zmxlMeYEWUmrodumlyNNXj' +
  'VezwUPD9QBWSX3tPDHUJtGe2QdqXIiUwCfPhq8ebQiA2KzR94FAhAGMz7b4Y6Mio3A+cpWHWVO6H9EMauiLpmqjMwRVV' +
  'QZLGNL+dAJf8ZF84rGCALRKFwofRXdzh5R1J4rZItVa8fC/yipiks1Xlm2tSN8ZFnVa4AEe3IPmhJAuZ5djvyXLWJghG' +
  'TrK8GNPPeBjjiY9r6pnMfdVYDCFnkHWDEBQ1x6lyaR+KjcHOFJN9JrcMo5Gl5Qjbr34QENFvImhrbfPWPoAVWmt9/Ffe' +
  'MemLhN/xpvcqJdsvoi6VdPqXbKXJOTOdo7z3v+Hslw8vDWEoz7P4xVpKn2Wxr4uvIN0vkFbe5jO5bUJTaulK+HTmJrtv' +
  'E30QHPO9M81vu4VEuZgTMon4Mc1xF3T/Y0pvICxzbDneg6mHf6a3yN5m7L2Z13MXF1F1I35WXOZi19Jl/QYCGNudAfqy' +
  'cdhL5qWE39h6Z/ajOG1KOfPhF0Is8gKRmGpc2lXjCgSqkO3czBjkKXty0DwJT1mA4qzSucEJqDTNwg0zHipjmS51SfXb' +
  'vnibi1IlKjJoUImKUOlipUP0L+s7+OYEhASmkueffhgtThgflRHQZlPCDNUpwbZSSifQVG6MluwJ0xfCJQdGOC0xl2UE' +
  'QRRRQRrckAQ+Qhd2zmgYSF0SCVJuJZTZFUHOUcdTCoO6ukyqTwi/HjJF0znQstHULQl1AYvIW/Y4FEigrtRgjqUMmhna' +
  'TDRoCyIXleQVRs6BHgpPNFw1f1oRp1T4zYBp6Op1C7QJ7TA4cHqHk+pV8CMJHxZO77iQkdpEkqmzxYeqwVMOTS+SXrK7' +
  'kgRBugaXE5u0VTZpzjDMGgWuFbCcBFpAyEWhr0wkHY0UT29dRfiF6EMeWopiLFatMgUZ1kWo3d//nwB1uurQGT9geOiE' +
  'oGofVol5T1pv1b3iTAydbGoUop+eQfT/KmMkA03XT2K1D8lLLU/5UVm47+HpD8z1KS8YSwVRDZeMFAdM7tnyUD0p+WLE' +
  'Jcskt8vqspB/Iy1X9vHAr3G38ZG3/ChRX9rH+vBQuaz72pOswMUmbNBwJyjo9LjgmAd84VNE+ZAL41PmPlrn4Uw2Kq7h' +
  'vkwQNuk6iqabxbeU6dClTCoXthbJXXseIIINnjdI5RjLka7we9xp7mljjWHXcGPg3iKW3KaHQ5rCduuSGu8kh8HYcOv4' +
  'gbpnukPYXLgT0IMfhLhzv82aN9Sgb0HdiP1NyzW3+0LM+IOyShkSRs9XTSJp35IPhcbJysXw9flB00SdeDjsMi7nKaUB' +
  'Ot7zkCLHHTTDowKLyKcufpqJu0Z8XKfHOO65gfK45xZUPANY44hMawAaIhrjKZtnJE6D/p1AJDMV5yJNwafh4Fea79hv' +
  'ISplEmjOZBI0eXcpa21pEgVfQ0sX1aq8m0HhWrMmGCtGaZLeiLswqj/G+i8kVxeCtHN98S2rUKqqjUUpWoXCbI/olrxm' +
  'BhVxWqJiOLWukEB7LyOlA2Q7QR2X3ApNNQjCEYz+4QqQcxDrOHBqhhNrGU5reoamiTjzUlTUs+UJ1CTzpyuheF6vR9kv' +
  'FFH/Y46FkLF2oqUKTk/D003ydHszT80meOq39/H0lHBxfUq8c4X6VHkihDd9evTiu/+jTyHnR//5TgjhkORbEzCR/SII' +
  'U58CzfbpjFaK2tOr6tO4h4oCDuFNhCn7JEG4y35736SnhOvKfvwEqfwawi9PP54gurG1Fx5b/q4q6+Spbdx1snTPwyCY' +
  'zg2O4S5qKiIUS7K3IaXEG6LGpLkqToBCa424DqhZ8FS19IvTd/pSSvpSz1Dgjzvk8gOpaZoW1R4GN81uEJ8OQsQMe7GE' +
  'YMu4YyMEaBgCEQI2XhhGsOjCUcIMCRiBeQIL4cI8xSWSZs80tyRRe5vnXidCiDELAkbujICVZU4Y/hQnjJclCLonTtjo' +
  '/qhJMP2Sdl8Ui1RGp29jcTZYorZ2/5T0lN2U6aOoeU+FPBhyj/cfiRctr7jH+yR6ndeSpyjMlxiqUGe8H7lzfcnKKcZR' +
  'bG8oxvupy9i0ykQVS9yhOaFmK9WYGjM4NUbWcvvDfKnvxGl+M05lXoqbVKWLLOKqGq6AU9Y6jjiN3ZzhtAicauZ+tVrZ' +
  'p8cMKxXjeQsrsLycpVVrfuyS+pTDdO6MpY0ouRjQgeRT+9Ksv2xA7ZHvqIJQJaI2Fdacaf4zAbKBEe17+hQJU1Dqiuq0' +
  '3cYDl9baVMc/dLFLjH0VwkXHnpIjaf094ov5kwkTcKRxbZdpomJG7AbAGgx966LGi01X1xs3R/qo0C21tV32aelocoJW' +
  'ox0mBqmCxXt4C+9Qhrx+bRvwnrThOIicYeqi1mj7U+xanczc9y/su51nb51r+eAr8jQGZMgNJAi6aqp+9OENmYQOyT2K' +
  'mrbjIREjkLr7PzAc/ognRjzSGtVja08/Sld7uFbSo/fKzbJqPJx8PZP8T8DYKZX0ZJLZncusx/iFt+wOgy0cFt/Fznkj' +
  'TVTNHIW+AnsILoFa+X0J4Zh2XwLU60N112juWPp0JVmLMjo4rOsZqjey4F8FC5edK/+QjdI3u//wWQCrUdxBnSgS8Mji' +
  '43mxoVILDwwk05MAthPKdLj8hiWm3O30pOtFU1Y2zlV5YIxsXr4yQchC6ZdoUimymWE5Y2RpBYP1cA+ZfVuO1lp25C57' +
  'dtcOXbdEneuD5erNd/hWxomX65Ps2VPPQgBJGCHhVcqoTtQjTA9Mferm2HZRNaVQH77CLSsDv6cc/PgBYQ7/Z8LHjOX0' +
  'hlWPQYLf9/Hp/hbPqGyxlcpMjOax/HwxmnVGm9prpSYGVQk9c2raH0cImP3S7BaPm+M670K5xNu3+sUcyusExVv6S2ql' +
  'sYMmB4fZIZElbTwvPyel56fN8I2e/TVzy/RANWwtZL3EBROIwivRT6vCjWM8VbXxgn4qwNKyINtN9emxaEuWFvcTbsow' +
  'nbSUoi9UjrLy7S7HDDMCDJhSgm61ZkrAAJf0l2HGhHNpZ2F7hTBfA4/3C0Bi+00RpnylzwvTgVMtccqEENMddK/o5OmW' +
  'PWFhxZ60SAgG2/fVCU6BqqqJU34Q2kXa+sDKQyVElUyeGqli5iuPTWZMXjg14SsIzzzQRFHFtch+OZf9jYu6elH2WeIl' +
  'VqMLNXy4gd22pThGgKsNKLaX0jR5NMVnnNX6V3YfhN2PtbDQqzTF90XMvAzjOk5Kz/z8CMJlVKPkaZYsXFTUUptcbvkm' +
  'wi9PP58gzlHfTJdB4+d4Xn8l+4LTSJguKSGw3weB/z60g8j7lyiy3MWLU73GpIbtHMDHmis29Z3j9HkIz2z2Ydoo9YD4' +
  'wNjwT22rd9CgjbI9w6NsVe4HGppGsI5WTPePIzw/T3/t/seGCTyYHf5pYXotZyzygXAal1C0eEGonvunLE+QigJ2VieU' +
  '5axOpZ8WpxfNS41JuZNybm8v8+0McBZHfWcO5fX0z4uECzQDoj7VAqe8G6TIIujyhSj/02N7G+GZh3Zcn+LOR2p6Z/mS' +
  '9f4sJ52mXsQpR9pX2arCzplUFrjd0623ix4tJ4czZ9FJibwjMbRhoz7f+4xZiSb5YaN+DEzh/g9VUFRL/S2hCW+LJVHD' +
  'S/rUc+WonrQauaOFYGYv3kn7wg6YRvvNvmgH72HRODRjuOynKL6axzYRv0NrPwSm2AkxC5R3UGBsNDek3j8ymvlYE+m9' +
  'GZ55cZV0CocEDZo6NmLaavOW7QE76Cnwppg6XpWhbb0R5+8/ITO9n4FPZH+2gHraljdsiThFJiytbTKJYro4Or56fiDw' +
  'iHNZs6nZw9If8SUy57K/YXTDyvkoxeyLujR+KSTjenXiJDSfxfd0qaX7STZoLkd2y5N8m9zqchEFDJpX4zZdx5CFdttk' +
  '++hZ/+l5AysADXv2/tOLdkmDlSe2i8+7fifZ8jVmkiCP4wOx9cl2GRZAOv+ytFPC2ibQ5NfWweefVKnkE0z5lwjKfwpP' +
  '5Rk7SR5rtn6H4XJk7jlBLQn5IJqYxxXw3qeIlY7PIlSyN9uPGS5nB+QbfkMZVr0TLbyfVGmv1kfyH04yFzU=';
