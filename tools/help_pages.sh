#!/bin/sh
# Unpacks the pages of LibreOffice's help in a language (de, fr, ja, pt-br, zh-cn, …) and prints their folder. They are those of
# Debian's package libreoffice-help-LANGUAGE (MPL-2.0), which is downloaded, not installed: that needs no rights where apt knows
# its packages. usage: help_pages.sh LANGUAGE FOLDER
set -eu
language=$1
folder=$2
package=libreoffice-help-$language
help=usr/share/libreoffice/help

# The name of a language's folder has capitals: en-US. Beside it there may be pictures.
pages() { find "$1" -mindepth 2 -maxdepth 2 -ipath "*/$language/text" -print -quit 2> /dev/null; }

download() { (cd "$folder/part-$language" && apt-get download -qq -o APT::Sandbox::User=root "$package" 2> "../$package.log"); }

if [ -z "$(pages "/$help")" ] && [ -z "$(pages "$folder/$language/$help")" ]; then
  rm -rf "$folder/part-$language"
  mkdir -p "$folder/part-$language"
  if ! download; then
    if [ "$(id -u)" -eq 0 ]; then root=""; else root="sudo"; fi
    $root apt-get update -qq || true
    if ! download; then
      cat "$folder/$package.log" >&2
      rm -rf "$folder/part-$language" "$folder/$package.log"
      echo "help_pages.sh: Debian's package $package cannot be downloaded. Known languages are:" >&2
      apt-cache pkgnames libreoffice-help- | sed 's/^libreoffice-help-//' | grep -v -x common | sort | tr '\n' ' ' >&2
      echo >&2
      echo "On a machine without network, install the package: what is in /$help is used." >&2
      exit 1
    fi
  fi
  dpkg-deb -x "$folder/part-$language/$package"_*.deb "$folder/part-$language"
  rm -rf "${folder:?}/$language" "$folder/part-$language/$package"_*.deb "$folder/$package.log"
  mv "$folder/part-$language" "$folder/$language"
fi
found=$(pages "$folder/$language/$help")
[ -n "$found" ] || found=$(pages "/$help")
if [ -z "$found" ]; then
  echo "help_pages.sh: $package has no pages in $help" >&2
  exit 1
fi
printf '%s\n' "$found"
