"""The peers as functions from ids to hidden states, each set up as its documentation recommends for speed.

An engine takes ids and mask [sequences, length] (int64; mask None where nothing is padded) and gives the hidden states
[sequences, length, hidden] in float32. Import of a library happens in the engine that needs it, so that the memory of a
peer is its own.
"""

import numpy as np

PRECISIONS = {
    "transformers": ("float32", "bfloat16"),
    "compiled": ("float32", "bfloat16"),
    "onnxruntime": ("float32", "int8"),
    "openvino": ("float32", "bfloat16", "int8"),
}


def transformers_engine(model, dtype, threads, compiled=False):
    """Eager PyTorch, or torch.compile, which makes code for each shape anew; bfloat16 is autocast."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    trunk = transformers.AutoModel.from_pretrained(model).eval()
    if compiled:
        torch._dynamo.config.cache_size_limit = 64
        trunk = torch.compile(trunk, dynamic=False)

    def run(ids, mask):
        inputs = {"input_ids": torch.from_numpy(ids)}
        if mask is not None:
            inputs["attention_mask"] = torch.from_numpy(mask)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            return trunk(**inputs).last_hidden_state.float().numpy()

    return run


def compiled_engine(model, dtype, threads):
    return transformers_engine(model, dtype, threads, compiled=True)


def export(model, path, masked):
    """Writes the trunk of a model directory as an ONNX file with free batch size and length."""
    import torch
    import transformers

    class Trunk(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = transformers.AutoModel.from_pretrained(model, attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask=None):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    examples = [torch.full((2, 8), 5)]
    names = ["input_ids"]
    if masked:
        examples.append(torch.ones((2, 8), dtype=torch.int64))
        examples[1][1, 4:] = 0
        names.append("attention_mask")
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    torch.onnx.export(
        Trunk(),
        tuple(examples),
        str(path),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_shapes={name: free for name in names},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def quantize(source, target):
    """ONNX Runtime's dynamic quantization: weights a channel, activations a tensor, at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8, per_channel=True)


def onnx_path(model, dtype, masked):
    return model / f"{'masked' if masked else 'plain'}{'_int8' if dtype == 'int8' else ''}.onnx"


def two_graphs(load):
    """One graph for batches without padding and one with a mask, each loaded when it is first needed."""
    graphs = {}

    def run(ids, mask):
        masked = mask is not None
        if masked not in graphs:
            graphs[masked] = load(masked)
        return graphs[masked]({"input_ids": ids} | ({"attention_mask": mask} if masked else {}))

    return run


def onnxruntime_engine(model, dtype, threads):
    import onnxruntime

    def load(masked):
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        path = str(onnx_path(model, dtype, masked))
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
        return lambda inputs: session.run(None, inputs)[0]

    return two_graphs(load)


def openvino_engine(model, dtype, threads):
    """int8: weights compressed to 8 bits by NNCF, activations quantized at run time in groups by OpenVINO itself."""
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    settings["INFERENCE_PRECISION_HINT"] = "f32" if dtype == "float32" else "bf16"

    def load(masked):
        graph = core.read_model(str(onnx_path(model, "float32", masked)))
        if dtype == "int8":
            import nncf

            graph = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_SYM)
        request = core.compile_model(graph, "CPU", settings).create_infer_request()
        return lambda inputs: request.infer(inputs)[0].copy()

    return two_graphs(load)


ENGINES = {
    "transformers": transformers_engine,
    "compiled": compiled_engine,
    "onnxruntime": onnxruntime_engine,
    "openvino": openvino_engine,
}


def padded(lists):
    """ids and mask of one batch; no mask where all lengths are equal."""
    length = max(map(len, lists))
    ids = np.zeros((len(lists), length), dtype=np.int64)
    mask = np.zeros((len(lists), length), dtype=np.int64)
    for row, ids_of_one in enumerate(lists):
        ids[row, : len(ids_of_one)] = ids_of_one
        mask[row, : len(ids_of_one)] = 1
    return ids, None if mask.all() else mask


def batches(lists, size, order):
    """Index lists of the padded batches that a peer is given; order is 'arrival' or 'sorted' (by length)."""
    indices = list(range(len(lists)))
    if order == "sorted":
        indices.sort(key=lambda i: len(lists[i]))
    return [indices[begin : begin + size] for begin in range(0, len(indices), size)]
