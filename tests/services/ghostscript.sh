#!/bin/bash
# ghostscript: draws curves, text and images, and renders them to a bitmap and a PDF file.
. "$(dirname "$0")/lib.sh"
need gs
cd "$W"
cp "$here/ghostscript.ps" page.ps
for device in png16m pbmraw jpeg; do
	run gs -q -dSAFER -dBATCH -dNOPAUSE -r100 "-sDEVICE=$device" "-sOutputFile=page-%d.$device" page.ps >&2
	cat page-*."$device" | sha256sum
done
run gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=page.pdf page.ps >&2
run gs -q -dSAFER -dBATCH -dNOPAUSE -r72 -sDEVICE=ppmraw -sOutputFile=back-%d.ppm page.pdf >&2
cat back-*.ppm | sha256sum
counted gs
