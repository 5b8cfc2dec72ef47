"""Random numbers that are a function of a key, an example and a place."""

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("random_words")
def random_words(key: int, first: int, examples: Array, out: Array) -> None:
    """out[n, 4·j + k] = word k of counter first + j of example examples[n], as uint32."""
    for n, example in enumerate(examples):
        for place in range(out.shape[1]):
            counter = (first + place // 4) + (int(example) << 64)
            out[n, place] = philox(counter, key)[place % 4]


def philox(counter: int, key: int) -> tuple[int, int, int, int]:
    """Encipher a counter of 128 bits: Philox 4x32 with seven rounds."""
    a, b, c, d = (counter >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96))
    low, high = key % 2**32, key >> 32
    for _ in range(7):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ low, q % 2**32, (p >> 32) ^ d ^ high, p % 2**32
        low, high = (low + 0x9E3779B9) % 2**32, (high + 0xBB67AE85) % 2**32
    return a, b, c, d
