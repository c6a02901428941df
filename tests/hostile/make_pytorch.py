"""Hostile files of PyTorch: pickles, in a zip archive or one after the other."""

import io
import os
import pickle
import struct
import zipfile

from hostile_file import INT64, put


class Call:
    """Pickled as a call of a function, which Python makes when it loads the pickle."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.reduced


FLOATS = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04tQ"  # storage "0", 4 numbers
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def whole(number: int) -> bytes:
    digits = pickle.encode_long(number)
    return b"\x8a" + bytes([len(digits)]) + digits


def described(offset: int = 0, sizes: tuple = (4,), strides: tuple = (1,), storage: bytes = FLOATS) -> bytes:
    """The opcodes that make a tensor."""
    lists = b"".join(b"(" + b"".join(map(whole, numbers)) + b"t" for numbers in (sizes, strides))
    return REBUILD + b"(" + storage + whole(offset) + lists + b"\x89}tR"


def dictionary(value: bytes) -> bytes:
    return b"\x80\x02}U\x01a" + value + b"s."


GOOD = dictionary(described())


def archive(content: dict, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        for name, data in content.items():
            packed.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return file.getvalue()


def pickled(name: str, pickle_: bytes, more: dict = {}) -> None:
    """An archive as torch.save writes it, with this pickle and a storage of 16 bytes."""
    put(f"pytorch/{name}", archive({"x/data.pkl": pickle_, "x/data/0": bytes(16)} | more))


def legacy(pickle_: bytes, keys: bytes = b"\x80\x02]U\x010a.", storages: bytes = struct.pack("<q", 4) + bytes(16),
           system: bytes = b"\x80\x02}.") -> bytes:
    """The container of torch before 1.6."""
    magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    return magic + b"\x80\x02M\xe9\x03." + system + pickle_ + keys + storages


def pytorch() -> None:
    harmful = "touch executed"
    pickled("calls_system", pickle.dumps({"a": Call(os.system, harmful)}, protocol=2))
    pickled("calls_eval_in_protocol_4", pickle.dumps({"a": Call(eval, harmful)}, protocol=4))
    pickled("calls_system_as_a_new_object", b"\x80\x02cposix\nsystem\nU\x02id\x85\x81.")
    pickled("calls_by_setting_attributes", b"\x80\x02cos\nenviron\n}b.")
    pickled("calls_an_old_instance", b"\x80\x02(U\x02idiposix\nsystem\n.")
    pickled("names_a_function_alone", dictionary(b"cbuiltins\nexec\n"))
    pickled("extension_opcode", b"\x80\x02\x82\x01.")
    put("pytorch/legacy_calls_system", legacy(pickle.dumps(Call(os.system, harmful), protocol=2)))
    put("pytorch/legacy_calls_in_the_system_pickle", legacy(GOOD, system=pickle.dumps(Call(os.system, harmful), protocol=2)))
    put("pytorch/pickle_of_someone_else", pickle.dumps(Call(os.system, harmful), protocol=2))

    put("pytorch/zip_bomb", archive({"x/data.pkl": GOOD, "x/data/0": bytes(4 << 20)}, zipfile.ZIP_DEFLATED))
    good = archive({"x/data.pkl": GOOD, "x/data/0": bytes(16)})
    first = good.index(b"PK\1\2")
    second = good.index(b"PK\1\2", first + 1)

    def patched(name: str, at: int, data: bytes) -> None:
        put(f"pytorch/{name}", good[:at] + data + good[at + len(data):])

    overlapping = bytearray(good)
    overlapping[second + 42:second + 46] = struct.pack("<I", 0)
    overlapping[second + 46:second + 54] = b"x/data/0"
    put("pytorch/zip_entry_elsewhere", bytes(overlapping))
    nested = b"PK\3\4" + struct.pack("<HHHIIIIHH", 20, 0, 0, 0, 0, 16, 16, 8, 0) + b"x/data/0" + bytes(16)
    inside = archive({"x/data.pkl": GOOD + nested, "x/data/0": bytes(16)})
    entry = inside.index(b"PK\1\2", inside.index(b"PK\1\2") + 1)
    put("pytorch/zip_entries_overlap", inside[:entry + 42] + struct.pack("<I", inside.index(nested)) + inside[entry + 46:])
    patched("zip_size_huge", second + 20, struct.pack("<II", 2**32 - 2, 2**32 - 2))
    patched("zip_encrypted", first + 8, b"\1\0")
    patched("zip_directory_beyond", len(good) - 6, struct.pack("<I", 2**31))
    patched("zip_many_entries", len(good) - 14, struct.pack("<HH", 65000, 65000))
    put("pytorch/zip_cut", good[:-9])
    end64 = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2, 2, 2**63, 2**64 - 8)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(good) - 22, 1)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    put("pytorch/zip64_directory_beyond", good[:-22] + end64 + locator + end)
    put("pytorch/zip64_locator_beyond", good[:-22] + b"PK\6\7" + struct.pack("<IQI", 0, 2**63, 1) + end)
    put("pytorch/zip_of_texts", archive({"readme.txt": b"hello"}))

    pickled("big_endian", GOOD, {"x/byteorder": b"big"})
    put("pytorch/legacy_big_endian", legacy(GOOD, system=b"\x80\x02}U\x0dlittle_endian\x89s."))
    pickled("torchscript", GOOD, {"x/constants.pkl": b"\x80\x02)."})
    put("pytorch/tar", bytes(257) + b"ustar\0" + bytes(300))
    put("pytorch/empty", b"")
    put("pytorch/text", "<html>Not found</html>")
    put("pytorch/lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 440473133\n")

    pickled("protocol_0", pickle.dumps({"a": 1}, protocol=0))
    pickled("protocol_9", b"\x80\x09}.")
    pickled("pickle_cut", GOOD[:-20])
    pickled("pickle_empty", b"")
    pickled("marks", b"\x80\x02" + b"(" * 9000 + b".")
    pickled("nested_lists", b"\x80\x02" + b"]" * 4000 + b"a" * 3999 + b".")
    pickled("dictionary_in_itself", b"\x80\x02}q\x01U\x0astate_dicth\x01s.")
    pickled("list_in_itself_as_sizes", dictionary(REBUILD + b"(" + FLOATS + b"K\x00]q\x01h\x01ah\x01\x89}tR"))
    pickled("memo_missing", b"\x80\x02j\xff\xff\xff\xff.")
    pickled("text_of_2_to_63", b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b".")
    pickled("text_negative", b"\x80\x02T" + struct.pack("<i", -1) + b".")
    pickled("number_of_2_gb", b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b".")
    pickled("name_not_utf8", b"\x80\x02}X\x02\x00\x00\x00\xff\xfe" + described() + b"s.")
    pickled("name_number", b"\x80\x02}K\x01" + described() + b"s.")
    pickled("no_tensors", b"\x80\x02}U\x05modelK\x01s.")
    pickled("list", b"\x80\x02].")

    pickled("tensor_beyond_storage", dictionary(described(offset=1)))
    pickled("tensor_offset_huge", dictionary(described(offset=INT64 - 1)))
    pickled("tensor_offset_negative", dictionary(described(offset=-1)))
    pickled("tensor_shape_overflows", dictionary(described(sizes=(2**32, 2**32), strides=(0, 0))))
    pickled("tensor_stride_overflows", dictionary(described(sizes=(3,), strides=(2**62,))))
    pickled("tensor_expanded", dictionary(described(sizes=(2**40,), strides=(0,))))
    pickled("tensor_negative_size", dictionary(described(sizes=(-4,))))
    pickled("tensor_beyond_int64", dictionary(described(sizes=(2**64,))))
    pickled("tensor_of_five_dimensions", b"\x80\x02}U*roformer.embeddings.word_embeddings.weight" + described(
        sizes=(1,) * 5, strides=(1,) * 5) + b"s.")
    pickled("tensors_of_one_storage", b"\x80\x02}(" + b"".join(
        b"U\x01" + bytes([97 + i]) + described() for i in range(20)) + b"u.")
    pickled("storage_outside", dictionary(described(storage=FLOATS.replace(b"\x010", b"\x0d../../../data"))))
    pickled("storage_larger_than_entry", dictionary(described(storage=FLOATS.replace(b"K\x04", b"K\x05"))))
    pickled("storage_size_negative", dictionary(described(storage=FLOATS.replace(b"K\x04", b"J\xff\xff\xff\xff"))))
    pickled("storage_size_overflows", dictionary(described(storage=FLOATS.replace(b"K\x04", whole(2**62)))))
    pickled("storage_quantized", dictionary(described(storage=FLOATS.replace(b"Float", b"QInt8"))))
    pickled("storage_of_a_module", dictionary(described(storage=FLOATS.replace(b"storagec", b"modulesc"))))
    put("pytorch/legacy_storage_count", legacy(GOOD, storages=struct.pack("<q", 2**62) + bytes(16)))
    put("pytorch/legacy_storage_cut", legacy(GOOD, storages=struct.pack("<q", 4) + bytes(15)))
    put("pytorch/legacy_storage_unknown", legacy(GOOD, keys=b"\x80\x02]U\x019a."))
    put("pytorch/legacy_storage_twice", legacy(GOOD, keys=b"\x80\x02](U\x010U\x010e.",
                                               storages=(struct.pack("<q", 4) + bytes(16)) * 2))
