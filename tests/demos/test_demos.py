"""Every demo runs, says and draws what it claims, and is short enough for one sitting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMOS = Path(__file__).resolve().parents[2] / "demos"

# What each demo must print; the demos themselves stop where a figure is not what they claim.
CLAIMS = {
    "01_single_neuron.py": ("δ(a) = -(y - a)        -0.622459  -0.622459", "step 50"),
    "02_mlp_error_signals.py": ("100x256  25,600", "26x100    2,600", "∇W1 = Σ δ(z1) xᵀ"),
    "03_convolution_by_hand.py": (
        "∂L/∂w1 = δ1·x1 + δ2·x2 + δ3·x3",
        "∂L/∂w2 = δ1·x2 + δ2·x3 + δ3·x4",
        "∂L/∂w3 = δ1·x3 + δ2·x4 + δ3·x5",
        "∂L/∂x1 = δ1·w1 ",
        "∂L/∂x2 = δ1·w2 + δ2·w1 ",
        "∂L/∂x3 = δ1·w3 + δ2·w2 + δ3·w1",
        "∂L/∂x4 = δ2·w3 + δ3·w2 ",
        "∂L/∂x5 = δ3·w3 ",
    ),
    "04_convolution_and_pooling.py": ("     6      9     11", "     6     11", "     6      8"),
    "05_lenet5.py": ("61,706 parameters", "before training", "after training", "epoch 4"),
    "06_alexnet_shapes.py": (
        "62,378,344   1,135,256,096",
        "3,747,200   6.0%",
        "58,631,144  94.0%",
        "15.6 times",
        "2,334,080, with the fully connected layers 60,965,224",
    ),
    "07_two_3x3_against_one_5x5.py": (
        "one 5x5   5·5·3·3     = 225",
        "two 3x3   2·(3·3·3·3) = 162",
        "two 3x3    5x5 ",
        "three 3x3  7x7 ",
    ),
    "08_1x1_convolutions_and_inception_cost.py": (
        "multiply-adds            854,196,224",
        "multiply-adds            271,351,808",
        "counted twice they give 358,055,936",
    ),
    "09_global_average_pooling.py": (
        "Pooled                      11,712      330",
        "FullyConnected              11,712   20,490",
        "refused: affine",
        "100 pairs of digits",
    ),
    "10_vanishing_signal.py": ("sigmoid      1e-09 ", "0.25 ", "ReLU, He "),
    "11_plain34_against_resnet34.py": (
        "   52   -9   30        52    0   30",
        "(1 + ∂/∂x_l Σ F)",
        "no normalisation",
        "batch normalisation",
    ),
    "12_squeeze_and_excitation.py": (
        "δ(s) = Σ δ(y) x   by hand",
        "       256                      8,192         8,464",
        "16 gates of 2,514,944 weights",
        "of another image",
    ),
    "13_dense_and_separable.py": (
        "    8        100                      0 later layers, and the output",
        "  3   128      37,748,736   4,489,216   0.1189       0.1189",
    ),
    "14_all_cnn_stride_against_pooling.py": (
        "base_a        839,242          ≈ 0.9M",
        "allcnn_c    1,369,738          ≈ 1.4M",
        "test accuracy by seed 0",
    ),
    "15_deeplearntoolbox_replay.py": (
        "convn(flipall(a), d, 'valid') / N",
        "turned filter, plain convolution: the same",
        "one image in the batch: rot180 and flipall agree",
        "conv2d, flip=True  |  3,898 parameters",
        "test error ",
    ),
    "16_paths_of_the_chain_rule.py": (
        "x             10           2 WRONG       18 WRONG         10",
        "1,073,741,824",
        "13.5 by number of paths",
        "the parts add up to what backward() left",
        "r7 = features.transition1.norm.batch_norm",
    ),
    "17_derivation_and_zoom.py": (
        "∂L/∂w2 = δ1·x2 + δ2·x3 + δ3·x4     = (-3.5)·2 + (-3)·3 + (-5.5)·4         = -38",
        "∂L/∂x4 = δ2·w3 + δ3·w2 ",
        "∂L/∂C3.weight[2,0,1,1] = Σ_{n<2, i<10, j<10} δ(C3)[n,2,i,j]·S2[n,0,i+1,j+1]",
        "agree with what the kernels computed",
        "C3.conv2d: δ(S2)[",
        "δ(S2)[0,0,5,6] = Σ_{o<16, u<5, v<5} δ(C3)[0,o,-u+5,-v+6]·C3.weight[o,0,u,v]",
        "800 derivatives, the same by scalars and by tensors",
    ),
    "18_error_signal_atlas.py": (
        "   4      2      4  C3.conv2d      16x16x10x10    0.0129 ",
        "The strongest map of C3 is δ of its channel ",
        "  plain-56   ‖δ‖ first layer / last layer ",
        "median 0.159",
        "18_error_signal_atlas_sigmoid_relu.html",
    ),
    "19_step_through_backward.py": (
        "δ(h) has 1 of 3: ‖c‖ 1 from #3 add; still to come from #2 multiply, #2 multiply",
        "13 elements, 10 gradients: the bits of backward()",
        "before #5 2.conv.conv2d: δ(2.conv.conv2d) set to 0",
        "error signals that differ: 5 of 13",
        "of the convolution's own weights in 17%",
        "without the edit again the bits of backward(): True",
    ),
    "20_break_the_chain_rule.py": (
        "5 of 7 learn with a wrong gradient",
        "diagnosis: no fault found in 9 elements",
        "diagnosis: fan_in_overwritten, first at δ of y of max_pool2d",
        "an element of one's own: relu_mask_of_signal, first at relu",
        "another program's gradients: weight_gradient_transposed, first at ∇v",
        "0 false alarms",
    ),
    "21_your_own_kernel.py": (
        "conv2d_forward: winograd, direct, ",
        "BROKEN     fills all of its result",
        "108 of 756 values were not written",
        "kept       a NaN that goes in is not lost (14 calls)",
        "the same up to rounding",
    ),
    "22_augmentation.py": (
        "PCA of the training pixels: eigenvalues [0.1296, 0.0271, 0.0018]",
        "in another batch, beside other images: the same pictures, bit for bit",
        "ten crops at test time: (1, 10, 3, 32, 32) of images (3, 40, 40)",
    ),
    "23_optimisers_in_a_valley.py": (
        "  SGD              ",
        "  Adam             60  +0.300  -0.300 ",
        "they arrive, and rattle about",
    ),
    "24_lecture_script_by_pytorch_names.py": (
        "[Epoch:    8] cost = ",
        "Accuracy on pixels of 0 to 255: ",
        "Accuracy on pixels of 0 to 1: 0.9",
    ),
    "25_own_pictures_by_pytorch_names.py": (
        "Epoch 100/100",
        "258 pictures of ['eight', 'three']",
        "scores of three pictures: (3, 2)",
        "the same filters after saving and loading: True",
        "Accuracy on 99 other pictures: ",
    ),
    "26_what_a_network_looks_at.py": (
        "C1.weight: 6 filters 1x5x5",
        "those of the largest gradient × input",
        "the same shape elsewhere, mean of 20",
        "S4[0,0,2,2]  depends on 16x16 = 256 pixels",
        "errors reach C1.weight[0,0,2,2] from: ∂L/∂C1.weight[0,0,2,2] = ",
        "come from the one image that the network is not sure of",
    ),
}


def test_every_demo_has_a_claim() -> None:
    assert sorted(path.name for path in DEMOS.glob("*.py")) == sorted(CLAIMS)


@pytest.mark.parametrize("demo", sorted(CLAIMS))
def test_a_demo_prints_what_it_claims(demo: str, tmp_path: Path) -> None:
    draws = "--pictures" in (DEMOS / demo).read_text(encoding="utf-8")
    options = ["--pictures", str(tmp_path)] if draws else []
    result = subprocess.run(
        [sys.executable, "-W", "error", str(DEMOS / demo), *options],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for claim in CLAIMS[demo]:
        assert claim in result.stdout
    pictures = [path.name for path in tmp_path.iterdir()]
    assert bool(pictures) == draws
    assert all(name.startswith(Path(demo).stem) for name in pictures)


@pytest.mark.parametrize("demo", sorted(CLAIMS))
def test_a_demo_is_shorter_than_150_lines(demo: str) -> None:
    assert len((DEMOS / demo).read_text(encoding="utf-8").splitlines()) < 150
