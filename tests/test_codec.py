"""Deep Compression's file: the same bits back, small where it should be, refused when changed."""

import json
import struct

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.techniques import _bit_stream as bit_stream
from bench.techniques import _codec as codec
from bench.techniques._sparse_code import Head, decode_tensor, encode_tensor

SHAPES = st.one_of(
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=40),
    hnp.array_shapes(min_dims=3, max_dims=4, min_side=0, max_side=6),
)
BITS = st.sampled_from([0x80000000, 0x7FC00001, 0x7F800000, 1, 0x3F800000])  # −0, NaN, ∞, least, 1


@st.composite
def sparse_tensors(draw: st.DrawFn) -> Tensor:
    """Float32 of any shape and density, from few or many different values, odd ones among them."""
    shape = draw(SHAPES)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pool = generator.normal(size=draw(st.sampled_from([1, 2, 7, 32, 256, 5000])))
    values = generator.choice(pool.astype(np.float32), size=shape)
    values[generator.random(shape) >= draw(st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]))] = 0
    odd = np.uint32(draw(BITS))
    values.view(np.uint32)[generator.random(shape) < draw(st.sampled_from([0.0, 0.1]))] = odd
    return torch.from_numpy(values)


def same_bits(one: Tensor, other: Tensor) -> bool:
    return (
        one.dtype is other.dtype
        and one.shape == other.shape
        and one.numpy().tobytes() == other.numpy().tobytes()
    )


def lenet(density: float, values: int) -> dict[str, Tensor]:
    """LeNet-300-100's tensors, random, with so many different weights."""
    random = torch.Generator().manual_seed(0)
    state = {}
    for number, shape in enumerate([(300, 784), (100, 300), (10, 100)]):
        kept = torch.rand(shape, generator=random) < density
        codes = torch.randint(1, values + 1, shape, generator=random)
        state[f"{2 * number}.weight"] = torch.where(kept, codes / 8, 0.0)
        state[f"{2 * number}.bias"] = torch.randn(shape[0], generator=random)
    return state


@settings(max_examples=80, deadline=None)
@given(tensor=sparse_tensors(), stage=st.sampled_from(codec.STAGES))
def test_every_tensor_comes_back_to_the_last_bit(tensor: Tensor, stage: str) -> None:
    head, content = encode_tensor(tensor, stage)
    assert Head.parse(head.text) == head
    assert same_bits(decode_tensor(head, np.frombuffer(content, np.uint8)), tensor)
    state = {"a.weight": tensor, "a.bias": torch.arange(3.0)}
    decoded = codec.decode(codec.encode(state, stage=stage))
    assert {name: same_bits(decoded[name], state[name]) for name in state} == {
        "a.weight": True,
        "a.bias": True,
    }


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**40)), max_size=256),
    data=st.data(),
)
def test_huffman_codes_of_any_counts_are_complete_and_read_back(
    counts: list[int], data: st.DataObject
) -> None:
    lengths = bit_stream.code_lengths(counts)
    used = lengths[lengths > 0]
    assert (np.asarray(counts, dtype=np.int64) > 0).tolist() == (lengths > 0).tolist()
    assert lengths.max(initial=0) <= bit_stream.LONGEST
    if not len(used):
        return
    assert sum(2.0 ** -int(length) for length in used) == (1.0 if len(used) > 1 else 0.5)
    table = np.frombuffer(bit_stream.pack_table(lengths), np.uint8)
    assert bit_stream.unpack_table(table, len(lengths)).tolist() == lengths.tolist()
    symbols = data.draw(st.lists(st.sampled_from(np.flatnonzero(lengths).tolist()), max_size=50))
    stream = np.frombuffer(bit_stream.pack_huffman(np.array(symbols, int), lengths), np.uint8)
    read, size = bit_stream.unpack_huffman(stream, lengths, len(symbols))
    assert (read.tolist(), size) == (symbols, len(stream))


def test_huffman_lengths_are_those_of_the_textbook() -> None:
    # Cormen et al., figure 16.3: a 45, b 13, c 12, d 16, e 9, f 5 of 100
    assert bit_stream.code_lengths([45, 13, 12, 16, 9, 5]).tolist() == [1, 3, 3, 3, 4, 4]


def test_fibonacci_counts_whose_code_would_be_39_bits_stay_within_15() -> None:
    counts = [1, 1]
    while len(counts) < 40:
        counts.append(counts[-1] + counts[-2])
    lengths = bit_stream.code_lengths(counts)
    assert lengths.max() == bit_stream.LONGEST
    assert sum(2.0 ** -int(length) for length in lengths) == 1


def test_long_streams_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bit_stream, "BLOCK", 7)
    lengths = bit_stream.code_lengths([8, 4, 2, 1, 1])
    symbols = np.arange(200) % 5
    stream = np.frombuffer(bit_stream.pack_huffman(symbols, lengths), np.uint8)
    assert bit_stream.unpack_huffman(stream, lengths, 200)[0].tolist() == symbols.tolist()


@pytest.mark.parametrize(
    ("gap", "index_bits", "entries"),
    [
        (6, 3, 2),  # the largest distance of 3 bits
        (7, 3, 3),  # one filler
        (14, 3, 4),  # two
    ],
)
def test_filler_zeros_stand_where_a_distance_is_too_long(
    gap: int, index_bits: int, entries: int
) -> None:
    tensor = torch.zeros(1, gap + 2)
    tensor[0, 0] = tensor[0, -1] = 1.0
    content = bit_stream.pack_fixed(
        np.array([0, *[7] * (entries - 2), gap - 7 * (entries - 2)]), index_bits
    )
    head = Head("p", "rows", index_bits, 0, entries, (1, gap + 2))
    values = np.array([1.0, 1.0], np.float32).tobytes()
    decoded = decode_tensor(head, np.frombuffer(content + values, np.uint8))
    assert torch.equal(decoded, tensor)


def test_each_stage_is_smaller_than_the_one_before() -> None:
    state = lenet(0.08, 16)
    dense = len(safetensors.torch.save(state))
    p, pq, pqh = (codec.encoded_bytes(state, stage=stage) for stage in codec.STAGES)
    assert dense / p > 9
    assert dense / pq > 30
    assert pq > pqh > 0.8 * pq


def test_size_is_what_the_formula_of_the_paper_says() -> None:
    """nnz · (bits + index bits) and fillers; for a density of 0.08 and 4 + 4 bits."""
    weight = lenet(0.08, 16)["0.weight"]
    head, content = encode_tensor(weight, "pq")
    nonzero = int(weight.count_nonzero())
    fillers = head.entries - nonzero
    bits = nonzero * (4 + head.index_bits) + fillers * head.index_bits
    assert head.index_bits in {4, 5}
    assert 0 < fillers < 0.3 * nonzero
    assert abs(len(content) - (bits / 8 + 4 * 16)) <= 2


def test_tensor_without_zeros_needs_no_indices() -> None:
    tensor = torch.tensor([1.0, 2.0]).repeat(8, 8)
    head, content = encode_tensor(tensor, "pq")
    assert head.index_bits == 0
    assert len(content) == 8 + 128 // 8  # a codebook of two, one bit for each of 128 weights
    assert torch.equal(decode_tensor(head, np.frombuffer(content, np.uint8)), tensor)


def test_columns_are_scanned_where_that_is_smaller() -> None:
    tensor = torch.zeros(64, 64)
    tensor[:, 5] = torch.tensor([1.0, 2.0]).repeat(32)
    head, content = encode_tensor(tensor, "pqh")
    assert head.scan == "columns"
    assert torch.equal(decode_tensor(head, np.frombuffer(content, np.uint8)), tensor)


def test_more_than_256_different_weights_keep_their_values() -> None:
    few, many = torch.arange(1.0, 257).view(16, 16), torch.arange(1.0, 258).view(1, 257)
    assert encode_tensor(few, "pq")[0].centroids == 256
    assert encode_tensor(many, "pqh")[0].stage == "p"


def test_file_is_read_by_safetensors_and_is_the_same_each_time() -> None:
    state = lenet(0.1, 16) | {"count": torch.tensor(7), "half": torch.ones(2, 2).bfloat16()}
    file = codec.encode(state)
    assert file == codec.encode(dict(reversed(state.items())))
    raw = safetensors.torch.load(file)
    assert raw["0.weight"].dtype is torch.uint8
    assert torch.equal(raw["0.bias"], state["0.bias"])
    assert codec.decode(file)["count"] == 7
    assert codec.decode(file)["half"].dtype is torch.bfloat16


def test_tensor_that_coding_would_make_larger_stays_as_it_is() -> None:
    tensor = torch.randn(3, 5)
    raw = safetensors.torch.load(codec.encode({"w": tensor}))
    assert torch.equal(raw["w"], tensor)


def test_strided_tensors_are_stored_as_their_values() -> None:
    tensor = torch.arange(12.0).view(3, 4).T
    assert torch.equal(codec.decode(codec.encode({"w": tensor, "b": tensor[0]}))["w"], tensor)
    assert torch.equal(codec.decode(codec.encode({"b": tensor[0]}))["b"], tensor[0])


@pytest.mark.parametrize("stage", codec.STAGES)
def test_any_flipped_bit_and_any_cut_is_refused(stage: str) -> None:
    random = np.random.default_rng(0)
    file = codec.encode({"w": lenet(0.1, 8)["4.weight"], "b": torch.ones(2)}, stage=stage)
    for place in {*range(8), *random.integers(0, len(file), 60).tolist()}:
        changed = bytearray(file)
        changed[place] ^= 1 << int(random.integers(8))
        with pytest.raises(codec.DecodeError, match=r"cannot decode .* encode the model again"):
            codec.decode(bytes(changed))
    for end in {0, 1, 7, 8, 9, len(file) - 1, *random.integers(0, len(file), 20).tolist()}:
        with pytest.raises(codec.DecodeError, match="cannot decode"):
            codec.decode(file[:end])
    with pytest.raises(codec.DecodeError):
        codec.decode(file + b"\0")


def forged(head: str, content: bytes, *, dtype: str = "U8", version: str = "1") -> bytes:
    """A file with the right digest and a head and content of the forger's choice."""
    header = {
        "__metadata__": {codec.KEY: f"{version} {codec.BLANK}", "w": head},
        "w": {"dtype": dtype, "shape": [len(content)], "data_offsets": [0, len(content)]},
    }
    text = json.dumps(header).encode()
    file = struct.pack("<Q", len(text)) + text + content
    return file.replace(codec.BLANK.encode(), codec._digest(file).encode(), 1)


def test_forged_file_that_is_sound_is_read() -> None:
    file = forged("p rows 1 0 1 1 2", b"\0" + np.float32(2).tobytes())
    assert codec.decode(file)["w"].tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize(
    ("head", "content", "message"),
    [
        ("p rows 1 0 0 1000000 1000000", b"", "wanted 4294967296 at most"),
        ("p rows 1 0 0 0 999999999999999999", b"", "wanted 4294967296 at most"),
        ("p rows 1 0 0 2 9999999999999999999", b"", "wanted such as"),
        ("p rows 1 0 1 1 -2", b"\0\0\0\0\0", "wanted such as"),
        ("p rows 1 0 1", b"\0", "wanted such as"),
        ("", b"", "wanted such as"),
        ("q rows 1 0 1 1 2", b"\0", "wanted one of a tensor"),
        ("p diagonal 1 0 1 1 2", b"\0", "wanted one of a tensor"),
        ("p rows 0 0 1 1 2", b"\0", "wanted one of a tensor"),
        ("p rows 9 0 1 1 2", b"\0\0\0\0\0\0", "wanted one of a tensor"),
        ("pq rows 0 1 1000000000 1 1000000000", bytes(9), "9 bytes, wanted 125000000 at least"),
        ("p rows 0 0 1 1 2", bytes(4), "wanted one of a tensor"),
        ("pq rows 0 1 2 1 2", bytes(3), "found 3 bytes, wanted 4 at least"),
        ("pqh rows 0 1 2 1 2", bytes(4), "found 0 bytes, wanted 1 at least"),
        ("pq rows 1 0 1 1 2", b"\0", "wanted one of a tensor"),
        ("pq rows 1 257 1 1 2", b"\0", "wanted one of a tensor"),
        ("p rows 1 0 999999999999 1 2", b"\0", "bytes, wanted 125000000000 at least"),
        ("pqh rows 1 2 999999999999 1 2", bytes(8) + b"\x11\x11\0", "wanted 125000000000 at least"),
        ("p rows 1 0 0 1 2", b"\0", "for no weight, wanted 0"),
        ("p rows 1 0 1 1 2", b"\0\0\0\0", "bytes of values, wanted 4"),
        ("p rows 2 0 1 1 2", b"\x80\0\0\0\0", "found a weight at 2, wanted below 2"),
        ("p rows 1 0 3 1 2", b"\xe0", "found a weight at 2, wanted below 2"),
        ("pq rows 1 3 1 1 2", bytes(12) + b"\0\xc0", "found code 3, wanted below 3"),
        ("pq rows 1 1 1 1 2", bytes(4) + b"\0\0\0", "bytes of values, wanted 1"),
        ("pqh rows 1 1 1 1 2", b"\0", "bytes, wanted 6 at least"),
        ("pqh rows 1 1 1 1 2", bytes(4) + b"\x11\x20\0\0", "complete prefix code"),
        ("pqh rows 1 1 1 1 2", bytes(4) + b"\x12\x10\0\0", "complete prefix code"),
        ("pqh rows 1 1 1 1 2", bytes(4) + b"\x00\x10\0\0", "complete prefix code"),
        ("pqh rows 1 1 1 1 2", bytes(4) + b"\x10\x10\xff\0", "bits at 0 that are no code"),
        ("pqh rows 1 1 1 1 2", bytes(4) + b"\x10\x10\0", "found 0 bits for 1 codes"),
        ("pqh rows 1 1 1 1 2", bytes(4) + b"\x10\x10\0\0\0", "bytes of values, wanted 2"),
        ("pqh rows 2 1 3 9 9", bytes(4) + b"\x12\x33\x10\xff", "found 8 bits, too few for 3 codes"),
    ],
)  # fmt: skip
def test_hostile_file_is_refused_before_anything_is_allocated(
    head: str, content: bytes, message: str
) -> None:
    with pytest.raises(codec.DecodeError, match=message):
        codec.decode(forged(head, content))


def test_limit_of_the_caller_is_kept() -> None:
    file = codec.encode({"w": torch.zeros(10, 10)})
    assert codec.decode(file, most_bytes=400)["w"].shape == (10, 10)
    with pytest.raises(codec.DecodeError, match="tensors of 400 bytes, wanted 399 at most"):
        codec.decode(file, most_bytes=399)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (forged("p rows 1 0 0 1 2", b"", dtype="I8"), "wanted a tensor of uint8"),
        (forged("p rows 1 0 0 1 2", b"", version="2"), "found deep-compression '2'"),
        (safetensors.torch.save({"w": torch.ones(2)}), "found deep-compression ''"),
        (b"PK\3\4 a pickle in a zip", "no safetensors file"),
    ],
)
def test_file_of_another_kind_is_refused(file: bytes, message: str) -> None:
    with pytest.raises(codec.DecodeError, match=message):
        codec.decode(file)


def test_head_without_its_tensor_is_refused() -> None:
    text = json.dumps({"__metadata__": {codec.KEY: f"1 {codec.BLANK}", "w": "p rows 1 0 0 1 2"}})
    file = struct.pack("<Q", len(text)) + text.encode()
    file = file.replace(codec.BLANK.encode(), codec._digest(file).encode(), 1)
    with pytest.raises(codec.DecodeError, match="found no bytes for 'w'"):
        codec.decode(file)


def test_encoder_names_what_it_cannot_store() -> None:
    with pytest.raises(ValueError, match="stage is 'h', wanted one of p, pq, pqh"):
        codec.encode({}, stage="h")
    with pytest.raises(ValueError, match="a name of the file's own; rename it"):
        codec.encode({codec.KEY: torch.ones(1)})
    with pytest.raises(TypeError, match=r"cannot store w: found torch\.complex64"):
        codec.encode({"w": torch.ones(1, dtype=torch.complex64)})
    with pytest.raises(TypeError, match=r"layout torch\.sparse_coo"):
        codec.encode({"w": torch.eye(2).to_sparse()})


def test_model_of_no_tensors_is_a_file_too() -> None:
    assert codec.decode(codec.encode({})) == {}
