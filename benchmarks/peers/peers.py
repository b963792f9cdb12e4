"""The other runtimes, one class each: what to install, how to convert a model for it, with which
settings it runs. All of them compute in float32, on as many threads as they are told.

Imports of a runtime stand inside its methods: compare.py reads this file without any of them.
A model's files are MODELS/NAME.onnx, NAME.pt (traced TorchScript) and NAME.input (raw float32),
made by export.py; a conversion adds its own beside them.
"""

import importlib.metadata
import pathlib
import subprocess
import sys


def tool(name):
    """A command that a package installed beside the interpreter."""
    return str(pathlib.Path(sys.executable).parent / name)


def call(*command, cwd=None):
    """Runs a converter; its last lines become the error where it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise RuntimeError(f"{pathlib.Path(command[0]).name}: {' '.join(last) or 'failed'}")


class Peer:
    title = ""
    packages = ()  # for pip
    lone_packages = ()  # for pip, without what they say they need
    environment = "peers"  # the virtual environment it runs in
    settings = ""  # for the report

    def version(self):
        return importlib.metadata.version(self.packages[0])

    def convert(self, stem):
        """Makes the runtime's own files of the model stem.onnx or stem.pt."""

    def prepare(self, stem, image, threads):
        """Loads the model and gives it the image, a numpy array [1, 3, H, W]."""
        raise NotImplementedError

    def run(self):
        """One inference."""
        raise NotImplementedError

    def output(self):
        """The logits of the last run."""
        raise NotImplementedError


class OnnxRuntime(Peer):
    title = "ONNX Runtime"
    packages = ("onnxruntime",)
    settings = "ORT_ENABLE_ALL, sequential, intra_op N, inter_op 1, I/O binding"

    def prepare(self, stem, image, threads):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(
            f"{stem}.onnx", options, providers=["CPUExecutionProvider"]
        )
        self.binding = self.session.io_binding()
        self.binding.bind_cpu_input(self.session.get_inputs()[0].name, image)
        self.binding.bind_output(self.session.get_outputs()[0].name)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def output(self):
        return self.binding.copy_outputs_to_cpu()[0]


class OpenVino(Peer):
    title = "OpenVINO"
    packages = ("openvino",)
    settings = "CPU, f32, LATENCY, one stream, N threads, no pinning of its own"

    def prepare(self, stem, image, threads):
        import openvino as ov

        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "ENABLE_CPU_PINNING": False,
        }
        core = ov.Core()
        self.request = core.compile_model(f"{stem}.onnx", "CPU", settings).create_infer_request()
        self.request.set_input_tensor(ov.Tensor(image))

    def run(self):
        self.request.infer()

    def output(self):
        return self.request.get_output_tensor().data


class Ncnn(Peer):
    title = "ncnn"
    packages = ("ncnn",)
    lone_packages = ("pnnx",)  # its command brings what it needs of PyTorch
    settings = "fp16, bf16 and int8 off; packing, sgemm, Winograd and light mode on; N threads"

    def convert(self, stem):
        stem = pathlib.Path(stem)
        shape = "inputshape=" + (stem.parent / f"{stem.name}.shape").read_text().strip()
        files = [
            f"ncnnparam={stem.name}.ncnn.param", f"ncnnbin={stem.name}.ncnn.bin",
            f"ncnnpy={stem.name}.ncnn.py", f"pnnxparam={stem.name}.pnnx.param",
            f"pnnxbin={stem.name}.pnnx.bin", f"pnnxpy={stem.name}.pnnx.py",
            f"pnnxonnx={stem.name}.pnnx.onnx",
        ]
        call(self.command(), f"{stem.name}.pt", shape, "fp16=0", *files, cwd=stem.parent)
        for kind in ("pnnx.param", "pnnx.bin", "pnnx.py", "pnnx.onnx", "ncnn.py"):
            (stem.parent / f"{stem.name}.{kind}").unlink(missing_ok=True)

    @staticmethod
    def command():
        files = importlib.metadata.files("pnnx")
        return str(next(f for f in files if f.match("pnnx/pnnx")).locate())

    def prepare(self, stem, image, threads):
        import ncnn

        self.net = ncnn.Net()
        options = self.net.opt
        options.lightmode = True
        options.num_threads = threads
        options.use_packing_layout = True
        options.use_winograd_convolution = True
        options.use_sgemm_convolution = True
        options.use_vulkan_compute = False
        for kind in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed",
                     "bf16_storage", "int8_packed", "int8_storage", "int8_arithmetic",
                     "int8_inference"):
            if hasattr(options, f"use_{kind}"):
                setattr(options, f"use_{kind}", False)
        if self.net.load_param(f"{stem}.ncnn.param") or self.net.load_model(f"{stem}.ncnn.bin"):
            raise RuntimeError("ncnn cannot load the model")
        self.image = ncnn.Mat(image[0]).clone()
        self.names = self.net.input_names()[0], self.net.output_names()[0]

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input(self.names[0], self.image)
        self.result = extractor.extract(self.names[1])[1]

    def output(self):
        import numpy as np

        return np.array(self.result)


class Mnn(Peer):
    title = "MNN"
    packages = ("MNN",)
    settings = "CPU backend, precision high, N threads; with the copy of the input"

    def convert(self, stem):
        # What the program mnnconvert calls, without the reports that it sends home.
        convert = "import sys, _tools; _tools.mnnconvert(sys.argv)"
        call(tool("python"), "-c", convert, "-f", "ONNX", "--modelFile", f"{stem}.onnx",
             "--MNNModel", f"{stem}.mnn", "--bizCode", "lumbar")

    def prepare(self, stem, image, threads):
        import MNN

        self.interpreter = MNN.Interpreter(f"{stem}.mnn")
        settings = {"backend": "CPU", "precision": "high", "numThread": threads}
        self.session = self.interpreter.createSession(settings)
        self.input = self.interpreter.getSessionInput(self.session)
        self.image = MNN.Tensor(image.shape, MNN.Halide_Type_Float, image,
                                MNN.Tensor_DimensionType_Caffe)

    def run(self):
        self.input.copyFrom(self.image)  # a run may overwrite its input; some 15 us
        self.interpreter.runSession(self.session)

    def output(self):
        import MNN
        import numpy as np

        tensor = self.interpreter.getSessionOutput(self.session)
        result = np.zeros(tensor.getShape(), np.float32)
        host = MNN.Tensor(tensor.getShape(), MNN.Halide_Type_Float, result,
                          MNN.Tensor_DimensionType_Caffe)
        tensor.copyToHostTensor(host)
        return np.array(host.getNumpyData())


class Xnnpack(Peer):
    title = "XNNPACK (LiteRT)"
    packages = ("ai-edge-litert", "flatbuffers", "onnx")
    settings = "XNNPACK delegate over all nodes, N threads"

    def convert(self, stem):
        import onnx_to_tflite

        onnx_to_tflite.convert(f"{stem}.onnx", f"{stem}.tflite")

    def prepare(self, stem, image, threads):
        import numpy as np
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(f"{stem}.tflite", num_threads=threads)
        self.interpreter.allocate_tensors()
        # The delegate comes with the interpreter. Without a single one from the image to the logits
        # LiteRT's own kernels would run, and be timed.
        self.image, self.logits = (
            details[0]["index"] for details in
            (self.interpreter.get_input_details(), self.interpreter.get_output_details())
        )
        steps = self.interpreter._get_ops_details()
        delegates = [step for step in steps if step["op_name"] == "DELEGATE"]
        if (len(delegates) != 1 or self.image not in delegates[0]["inputs"]
                or self.logits not in delegates[0]["outputs"]):
            raise RuntimeError(f"XNNPACK did not take the whole network ({len(delegates)} parts)")
        self.interpreter.set_tensor(self.image, np.ascontiguousarray(image.transpose(0, 2, 3, 1)))

    def run(self):
        self.interpreter.invoke()

    def output(self):
        return self.interpreter.get_tensor(self.logits)


class PyTorch(Peer):
    title = "PyTorch"
    environment = "torch"
    settings = ("TorchScript, frozen, optimize_for_inference (not where that changes the logits), "
                "oneDNN on, N threads")

    def version(self):
        import torch

        lines = torch.__config__.show().splitlines()
        dnn = next((line for line in lines if "MKL-DNN" in line), "no oneDNN")
        return f"{torch.__version__} ({dnn.strip(' -').split(' (')[0]})"

    def prepare(self, stem, image, threads):
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        def frozen():
            return torch.jit.freeze(torch.jit.load(f"{stem}.pt").eval())

        self.image = torch.from_numpy(image)
        self.network = torch.jit.optimize_for_inference(frozen())
        # PyTorch 1.13 gets MobileNet V3 wrong. (What has run once is optimised badly: load again.)
        logits = frozen()(self.image)
        error = (self.network(self.image) - logits).abs().max() / logits.abs().max()
        if not error < 1e-4:
            self.network = frozen()

    def run(self):
        self.result = self.network(self.image)

    def output(self):
        return self.result.numpy()


PEERS = {
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "ncnn": Ncnn,
    "mnn": Mnn,
    "xnnpack": Xnnpack,
    "pytorch": PyTorch,
}
