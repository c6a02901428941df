"""RoFormer and BERT in NumPy float64, a second opinion: one function over config.json's keys and tensors by name.

It knows what transformers does not compute (RoFormerV2, RoFormer-Sim, JunnYu's poolers and cross-attention) beside what
it does, so that it can be checked: where both know a model they agree to 1e-12 (make_fixtures.py asserts it for every
fixture, heads included). Written for reading: one sequence at a time, no batch, no padding, no cache.

Keys beyond transformers' own: norm_type ("layer_norm", anything else is the RMS norm of RoFormerV2), use_bias and
pooler_activation ("tanh", "linear") are JunnYu's; rms_norm_scale (an RMS norm with a trained gain) and
cross_attention_rotation ("none" as in transformers, "query" as in JunnYu's package) are this project's.
"""

import math

import numpy as np


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


ACTIVATIONS = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
}


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def visible(visibility, segments):
    """[S, S]: whether query j (row) sees key k (column)."""
    length = len(segments)
    if visibility == "all":
        return np.ones((length, length), dtype=bool)
    if visibility == "causal":
        return np.tri(length, dtype=bool)
    assert visibility == "prefix", visibility
    index = np.cumsum(segments)  # UniLM: the first segment sees itself, the second what came before, too
    return index[None, :] <= index[:, None]


class Model:
    """weights: {name: array}, float64 or what becomes so exactly. `used` collects the names that were read."""

    def __init__(self, config, weights):
        self.config = config
        self.weights = {name: values.astype(np.float64) for name, values in weights.items()}
        self.used = set()
        prefix = config["model_type"] + "."
        self.trunk = prefix if any(name.startswith(prefix) for name in weights) else ""

    def tensor(self, name):
        self.used.add(name)
        return self.weights[name]

    def linear(self, x, name, bias=True):
        y = x @ self.tensor(f"{name}.weight").T
        return y + self.tensor(f"{name}.bias") if bias else y

    def block_linear(self, x, name):
        """A linear layer of an encoder layer, which RoFormerV2 has without bias."""
        return self.linear(x, name, self.config.get("use_bias", True))

    def layer_norm(self, x, name):
        deviation = x - x.mean(axis=-1, keepdims=True)
        variance = (deviation**2).mean(axis=-1, keepdims=True)
        normed = deviation / np.sqrt(variance + self.config["layer_norm_eps"])
        return normed * self.tensor(f"{name}.weight") + self.tensor(f"{name}.bias")

    def norm(self, x, name):
        if not self.rms():
            return self.layer_norm(x, name)
        normed = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return normed * self.tensor(f"{name}.weight") if self.config.get("rms_norm_scale") else normed

    def rms(self):
        return self.config.get("norm_type", "layer_norm") != "layer_norm"

    def activation(self, x):
        return ACTIVATIONS[self.config["hidden_act"]](x)

    def rotate(self, x, positions):
        """x [heads, S, dim]: the pair (2i, 2i + 1) turned by position * 10000^(-2i / dim)."""
        dim = x.shape[-1]
        angles = np.outer(positions, 10000.0 ** (-np.arange(0, dim, 2) / dim))
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = np.empty_like(x)
        turned[..., 0::2] = even * np.cos(angles) - odd * np.sin(angles)
        turned[..., 1::2] = odd * np.cos(angles) + even * np.sin(angles)
        return turned

    def attention(self, hidden, source, seen, name, rotated, positions):
        """hidden attends to source; `rotated` names those of query, key and value that are turned."""

        def heads(part, x):
            flat = self.block_linear(x, f"{name}.self.{part}")
            split = flat.reshape(len(x), self.config["num_attention_heads"], -1).transpose(1, 0, 2)
            return self.rotate(split, positions) if part in rotated else split

        query, key, value = heads("query", hidden), heads("key", source), heads("value", source)
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        mixed = softmax(np.where(seen, scores, -np.inf)) @ value
        joined = mixed.transpose(1, 0, 2).reshape(hidden.shape)
        return self.norm(hidden + self.block_linear(joined, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def embed(self, ids, segments, positions):
        words = self.tensor(f"{self.trunk}embeddings.word_embeddings.weight")[ids]
        x = words + self.tensor(f"{self.trunk}embeddings.token_type_embeddings.weight")[segments]
        if self.config["model_type"] == "bert":
            x = x + self.tensor(f"{self.trunk}embeddings.position_embeddings.weight")[positions]
        x = self.norm(x, f"{self.trunk}embeddings.LayerNorm")
        if x.shape[-1] != self.config["hidden_size"]:
            x = self.linear(x, f"{self.trunk}embeddings_project")  # keeps its bias in RoFormerV2
        return x

    def encode(self, ids, segments, positions, memory, visibility):
        roformer = self.config["model_type"] == "roformer"
        turned = (
            ({"query", "key", "value"} if self.config.get("rotary_value") else {"query", "key"}) if roformer else ()
        )
        turned_cross = {"query"} if self.config.get("cross_attention_rotation", "none") == "query" else ()
        seen = visible(visibility, segments)
        x = self.embed(ids, segments, positions)
        for i in range(self.config["num_hidden_layers"]):
            layer = f"{self.trunk}encoder.layer.{i}"
            x = self.attention(x, x, seen, f"{layer}.attention", turned, positions)
            if memory is not None:
                x = self.attention(x, memory, True, f"{layer}.crossattention", turned_cross, positions)
            inner = self.activation(self.block_linear(x, f"{layer}.intermediate.dense"))
            x = self.norm(x + self.block_linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return x

    def pooled(self, hidden):
        """The pooler's [H], or None where the file has no pooler."""
        name = f"{self.trunk}pooler.dense"
        if f"{name}.weight" not in self.weights:
            return None
        return ACTIVATIONS[self.config.get("pooler_activation", "tanh")](self.linear(hidden[0], name))

    def word_logits(self, hidden):
        head = "cls.predictions"
        tied = self.config.get("tie_word_embeddings", True)
        words = self.tensor(f"{self.trunk}embeddings.word_embeddings.weight" if tied else f"{head}.decoder.weight")
        if self.rms():
            return hidden @ words.T
        x = self.activation(self.linear(hidden, f"{head}.transform.dense"))
        x = self.layer_norm(x, f"{head}.transform.LayerNorm")
        # transformers 5 unties the bias with the weight, and adds the decoder's, not the one beside it.
        return x @ words.T + self.tensor(f"{head}.bias" if tied else f"{head}.decoder.bias")

    def summary(self, hidden):
        """transformers' SequenceSummary: [H]."""
        kind = self.config.get("summary_type", "last")
        x = {"last": lambda: hidden[-1], "first": lambda: hidden[0], "mean": lambda: hidden.mean(axis=0)}[kind]()
        if self.config.get("summary_use_proj"):
            x = self.linear(x, "sequence_summary.summary")
        return ACTIVATIONS[self.config.get("summary_activation") or "linear"](x)

    def logits(self, hidden, pooled):
        """What the head of architectures[0] makes of one sequence; None for a trunk."""
        bert = self.config["model_type"] == "bert"
        head = self.config["architectures"][0]
        if head.endswith(("ForMaskedLM", "ForCausalLM", "LMHeadModel", "ForPreTraining")):
            return self.word_logits(hidden)
        if head.endswith("ForSequenceClassification"):
            if bert:
                return self.linear(pooled, "classifier")
            return self.linear(self.activation(self.linear(hidden[0], "classifier.dense")), "classifier.out_proj")
        if head.endswith("ForTokenClassification"):
            return self.linear(hidden, "classifier")
        if head.endswith("ForQuestionAnswering"):
            return self.linear(hidden, "qa_outputs")
        if head.endswith("ForMultipleChoice"):
            return self.linear(pooled if bert else self.summary(hidden), "classifier")
        assert head.endswith("Model"), head
        return None


def forward(config, weights, inputs, used=None):
    """{"last_hidden_state.i": [S, H], "logits.i", "pooler_output.i": [H]} of every sequence of inputs.json's content.

    `used`, if given, gets the names of the tensors that were read.
    """
    model = Model(config, weights)
    visibility = inputs.get("visibility") or ("causal" if config.get("is_decoder") else "all")
    outputs = {}
    for i, ids in enumerate(inputs["input_ids"]):
        segments = np.array(inputs["token_type_ids"][i] if "token_type_ids" in inputs else [0] * len(ids))
        positions = np.array(inputs["position_ids"][i] if "position_ids" in inputs else range(len(ids)))
        memory = np.array(inputs["encoder_hidden_states"][i]) if "encoder_hidden_states" in inputs else None
        hidden = model.encode(np.array(ids), segments, positions, memory, visibility)
        pooled = model.pooled(hidden)
        logits = model.logits(hidden, pooled)
        outputs[f"last_hidden_state.{i}"] = hidden
        if logits is not None:
            outputs[f"logits.{i}"] = logits
        if pooled is not None:
            outputs[f"pooler_output.{i}"] = pooled
    if used is not None:
        used.update(model.used)
    return outputs
