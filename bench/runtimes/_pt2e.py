"""Post-training int8 quantization of an exported graph (PT2E), for inductor's kernels on x86."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from bench.runtimes._batches import AnyBatch, batch_of


def quantized(
    model: nn.Module, inputs: tuple[Tensor, ...], samples: Sequence[Any], *, dynamic: bool
) -> GraphModule:
    """*model* with quantizing and dequantizing operators around its linear layers and convolutions.

    Weights are int8 with a scale for each output channel; activations uint8 with one scale, from
    their histograms over the samples, or found at run time.

    Args:
        model: In evaluation mode; it is not changed.
        inputs: What it will be called with: the graph is for their shapes.
        samples: To calibrate on, each as the model is called with it; *inputs* if there are none.
        dynamic: Whether scales of activations are found at run time; convolutions then stay float.

    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference".
    """
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    with torch.no_grad():
        graph: GraphModule = torch.export.export(model, inputs).module()
        # the quantizer trips over what has no user, such as BERT's pooler
        graph.graph.eliminate_dead_code()
        graph.recompile()
        config = get_default_x86_inductor_quantization_config(is_dynamic=dynamic)
        prepared = prepare_pt2e(graph, X86InductorQuantizer().set_global(config))
        run = AnyBatch(prepared, batch_of(inputs))
        for sample in samples or [inputs]:
            run(*(sample if isinstance(sample, tuple) else (sample,)))
        converted: GraphModule = convert_pt2e(prepared)
    return converted


def used_tensors(graph: GraphModule, model: nn.Module) -> Mapping[str, Tensor]:
    """The stored tensors that a graph reads: quantizing leaves float32 weights in the module.

    Buffers that a model does not store, such as masks and caches, are none of them.

    Args:
        graph: What was made of the model.
        model: As it was.
    """
    stored = set(model.state_dict())
    passing = {name for name, _ in model.named_buffers() if name not in stored}
    nodes = graph.graph.find_nodes(op="get_attr")
    read = {str(node.target) for node in nodes if node.users} - passing
    return {name: tensor for name, tensor in graph.state_dict().items() if name in read}
