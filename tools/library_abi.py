#!/usr/bin/env python3
"""What programs compiled against libroformer.so depend on, compared with tests/library/abi.txt:

  tools/library_abi.py build/release/libroformer.so            # fails if they differ
  tools/library_abi.py build/release/libroformer.so --update   # writes the list anew

The list has the exported symbols (of C++ with their parameter types), the prototypes, constants, and sizes and offsets
of structs of roformer.h, and the sizes of the types of the C++ headers. A line that disappears or changes breaks
programs that were compiled before: that needs another SOVERSION. A new line is a new function or field."""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "tests/library/abi.txt"
SHORT = [("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"),
         ("std::basic_string_view<char, std::char_traits<char> >", "std::string_view"),
         ("roformer::v0::ViewsOf<std::string_view, roformer::v0::Text>", "roformer::v0::Texts"),
         ("roformer::v0::ViewsOf<std::pair<std::string_view, std::string_view >, "
          "std::pair<roformer::v0::Text, roformer::v0::Text> >", "roformer::v0::TextPairs")]


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(library: str) -> set[str]:
    text = run("nm", "-D", "--defined-only", "-C", library)
    for long, short in SHORT:
        text = text.replace(long, short)
    return {f"symbol {line.split(maxsplit=2)[2].strip()}" for line in text.splitlines()}


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def fields(body: str) -> list[str]:
    """The names of the fields of a C struct."""
    return [re.sub(r"\[.*", "", name.replace("*", " ")).split()[-1]
            for line in body.split(";") if line.strip() for name in line.split(",")]


def c_interface() -> tuple[set[str], list[str]]:
    """The prototypes of roformer.h, and the printing of what the compiler knows of its types."""
    text = without_comments((ROOT / "include/roformer/roformer.h").read_text(encoding="utf-8"))
    lines = {f"function {plain(one)}" for one in re.findall(r"ROFORMER_EXPORT (.*?);", text, flags=re.DOTALL)}
    lines |= {f"type {plain(one)}" for one in re.findall(r"typedef (\w+ \(\*\w+\)\(.*?\));", text, flags=re.DOTALL)}
    prints = []
    for body, name in re.findall(r"typedef struct \w+ {(.*?)} (\w+);", text, flags=re.DOTALL):
        if "size_t struct_size;" not in body:  # those may grow at the end
            prints.append(f'std::printf("struct {name}: %zu bytes\\n", sizeof({name}));')
        for field in fields(body):
            prints.append(f'std::printf("field {name}.{field}: %zu bytes at %zu\\n", sizeof({name}::{field}), '
                          f'offsetof({name}, {field}));')
    for body in re.findall(r"typedef enum \w+ {(.*?)} \w+;", text, flags=re.DOTALL):
        for value in re.findall(r"\w+(?= =)", body):
            prints.append(f'std::printf("constant {value} = %d\\n", int({value}));')
    return lines, prints


def cpp_structs() -> list[str]:
    """The printing of the sizes of the structs of the C++ headers."""
    prints = []
    for path in sorted((ROOT / "include/roformer").glob("*.h")):
        if path.name == "roformer.h":
            continue
        for name in re.findall(r"^(?:struct|class ROFORMER_EXPORT) (\w+)[^;{]*{", path.read_text(encoding="utf-8"),
                               flags=re.MULTILINE):
            prints.append(f'std::printf("struct roformer::{name}: %zu bytes\\n", sizeof(roformer::{name}));')
    return prints


def layouts(prints: list[str], compiler: str) -> set[str]:
    headers = sorted(path.name for path in (ROOT / "include/roformer").glob("*.h"))
    code = "#include <cstddef>\n#include <cstdio>\n" + "".join(f"#include <roformer/{name}>\n" for name in headers)
    code += "int main() {\n" + "\n".join(prints) + "\n}\n"
    with tempfile.TemporaryDirectory() as directory:
        source, program = f"{directory}/layouts.cc", f"{directory}/layouts"
        pathlib.Path(source).write_text(code, encoding="utf-8")
        run(compiler, "-std=c++20", f"-I{ROOT}/include", source, "-o", program)
        return set(run(program).splitlines())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="libroformer.so")
    parser.add_argument("--compiler", default="c++", help="a C++20 compiler (c++)")
    parser.add_argument("--update", action="store_true", help=f"write {LIST.relative_to(ROOT)} instead")
    arguments = parser.parse_args()
    lines, prints = c_interface()
    found = symbols(arguments.path) | lines | layouts(prints + cpp_structs(), arguments.compiler)
    if arguments.update:
        LIST.write_text("".join(f"{line}\n" for line in sorted(found)), encoding="utf-8")
        return 0
    expected = set(LIST.read_text(encoding="utf-8").splitlines())
    for line in sorted(expected - found):
        print(f"gone or changed: {line}")
    for line in sorted(found - expected):
        print(f"new: {line}")
    if expected == found:
        return 0
    print("If this is meant: tools/library_abi.py", arguments.path, "--update"
          + ("; and another SOVERSION, as compiled programs break" if expected - found else ""))
    return 1


if __name__ == "__main__":
    sys.exit(main())
