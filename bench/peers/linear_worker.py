"""One measurement of one peer's attention in a process of its own: prints a JSON object.

    python linear_worker.py CONTESTANT bidirectional|causal LENGTH

Forward without gradients, then forward and backward, of which the backward pass alone counts. Memory is the largest
resident set beyond that before the inputs were made, when everything was imported and had run once on a few tokens.
"""

import argparse
import json
import pathlib
import statistics
import time

import torch

HEADS, DIM, FEATURES = 12, 64, 256


def softmax(is_causal):
    return lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=is_causal)


def elu(is_causal):
    import linear_torch

    difference = linear_torch.check()
    if difference > 1e-5:
        raise SystemExit(f"linear_torch.py differs from its definition by {difference}")
    return linear_torch.causal if is_causal else linear_torch.bidirectional


def favor(is_causal):
    from performer_pytorch import FastAttention

    return FastAttention(dim_heads=DIM, nb_features=FEATURES, causal=is_causal)


CONTESTANTS = {"torch SDPA": softmax, "torch elu+1": elu, "performer-pytorch": favor}


def peak_memory():
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def inputs(length):
    return [2 * torch.rand(1, HEADS, length, DIM) - 1 for _ in range(3)]


def forward(attend, tensors):
    start = time.perf_counter()
    with torch.no_grad():
        attend(*tensors)
    return time.perf_counter() - start


def backward(attend, tensors, gradient):
    tensors = [x.detach().requires_grad_() for x in tensors]
    result = attend(*tensors)
    start = time.perf_counter()
    result.backward(gradient)
    return time.perf_counter() - start


def median(step, seconds):
    """After one call to warm up, which alone counts if it takes long."""
    first = step()
    taken, begin = ([first] if first > 3 else []), time.perf_counter()
    while first <= 3 and (len(taken) < 2 or time.perf_counter() - begin < seconds):
        taken.append(step())
    return statistics.median(taken)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("direction", choices=("bidirectional", "causal"))
    parser.add_argument("length", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--no-backward", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    attend = CONTESTANTS[options.contestant](options.direction == "causal")

    few = inputs(8)  # so that what is freed again has no room for the measured
    forward(attend, few)
    backward(attend, few, few[0])
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak is the size of now
    before = peak_memory()
    tensors = inputs(options.length)
    result = {"forward": {"seconds": median(lambda: forward(attend, tensors), options.seconds)}}
    result["forward"]["memory"] = peak_memory() - before
    print(json.dumps(result), flush=True)
    if options.no_backward:
        return
    gradient = 2 * torch.rand(1, HEADS, options.length, DIM) - 1
    seconds = median(lambda: backward(attend, tensors, gradient), options.seconds)
    print(json.dumps({"backward": {"seconds": seconds, "memory": peak_memory() - before}}), flush=True)


if __name__ == "__main__":
    main()
