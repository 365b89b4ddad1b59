/* Products of a sparse matrix with shared weights and a dense one, float32.
 *
 * The matrix: each row is a list of chunks. A chunk is 1, 2 or 4 column indices of 16 bits that
 * share one weight, and a code of 8 bits that says which: its inputs are added first and
 * multiplied once. A chunk that is not full is filled up with the index of a column of zeros,
 * which stands behind the last real one. Chunks are stored by block of columns, then by row, so
 * that the inputs that a block reads stay in the cache nearest to the core.
 *
 * Compiled where it runs; the vectors are those of GCC and Clang, for any processor.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#define CODES_IN_REGISTERS 32
#endif

#define LINE 16                  /* floats of a cache line */
#define WIDEST 64                /* samples of the widest panel */
#define NEAR_BYTES (1 << 20)     /* a panel up to this size is taken to stay near the core */
#define ALONE 65536              /* fewer multiplications than this are not worth a second thread */

typedef float Four __attribute__((vector_size(16), aligned(4)));
typedef float Eight __attribute__((vector_size(32), aligned(4)));
typedef float Sixteen __attribute__((vector_size(64), aligned(4)));

typedef struct {
    int blocks, rows, columns, chunk, shared;
    const int32_t *pointers;
    const uint16_t *indices;
    const uint8_t *codes;
    const float *codebook;
    const float *bias;
} Matrix;

/* Rows begin to end - 1 of the product with a panel of samples (columns + 1, width), into sums
 * (rows, width). Inlined with constants for chunk and parts. */
#define DEFINE_PANEL(NAME, VECTOR, WIDTH)                                                          \
    static inline __attribute__((always_inline)) void NAME##_rows(                                 \
        const Matrix *matrix, const float *panel, float *sums, int begin, int end, int chunk,      \
        int parts)                                                                                 \
    {                                                                                              \
        const int width = parts * (WIDTH);                                                         \
        for (int block = 0; block < matrix->blocks; block++) {                                     \
            const int32_t *pointers = matrix->pointers + (size_t)block * matrix->rows;             \
            for (int row = begin; row < end; row++) {                                              \
                float *out = sums + (size_t)row * width;                                           \
                VECTOR total[WIDEST / LINE];                                                       \
                for (int part = 0; part < parts; part++)                                           \
                    total[part] = block ? *(const VECTOR *)(out + part * (WIDTH))                  \
                                        : (VECTOR){0} + matrix->bias[row];                         \
                for (int k = pointers[row]; k < pointers[row + 1]; k++) {                          \
                    const uint16_t *index = matrix->indices + (size_t)k * chunk;                   \
                    const float weight = matrix->codebook[matrix->codes[k]];                       \
                    for (int part = 0; part < parts; part++) {                                     \
                        const float *from = panel + part * (WIDTH);                                \
                        VECTOR sum = *(const VECTOR *)(from + (size_t)index[0] * width);           \
                        for (int each = 1; each < chunk; each++)                                   \
                            sum += *(const VECTOR *)(from + (size_t)index[each] * width);          \
                        total[part] += weight * sum;                                               \
                    }                                                                              \
                }                                                                                  \
                for (int part = 0; part < parts; part++)                                           \
                    *(VECTOR *)(out + part * (WIDTH)) = total[part];                               \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void NAME(const Matrix *matrix, const float *panel, float *sums, int begin, int end,    \
                     int parts)                                                                    \
    {                                                                                              \
        if (matrix->chunk == 4 && parts == 1)                                                      \
            NAME##_rows(matrix, panel, sums, begin, end, 4, 1);                                    \
        else if (matrix->chunk == 2 && parts == 1)                                                 \
            NAME##_rows(matrix, panel, sums, begin, end, 2, 1);                                    \
        else if (parts == 1)                                                                       \
            NAME##_rows(matrix, panel, sums, begin, end, 1, 1);                                    \
        else if (matrix->chunk == 4)                                                               \
            NAME##_rows(matrix, panel, sums, begin, end, 4, WIDEST / LINE);                        \
        else if (matrix->chunk == 2)                                                               \
            NAME##_rows(matrix, panel, sums, begin, end, 2, WIDEST / LINE);                        \
        else                                                                                       \
            NAME##_rows(matrix, panel, sums, begin, end, 1, WIDEST / LINE);                        \
    }

DEFINE_PANEL(four, Four, 4)
DEFINE_PANEL(eight, Eight, 8)
DEFINE_PANEL(sixteen, Sixteen, LINE)

/* The sum of the inputs of a chunk. Its indices are read as one word: loads are what limits. */
static inline __attribute__((always_inline)) float gathered(const float *inputs,
                                                            const uint16_t *index, int chunk)
{
    if (chunk == 4) {
        uint64_t word;
        memcpy(&word, index, sizeof word);
        return (inputs[word & 0xffff] + inputs[word >> 16 & 0xffff]) +
               (inputs[word >> 32 & 0xffff] + inputs[word >> 48]);
    }
    if (chunk == 2) {
        uint32_t word;
        memcpy(&word, index, sizeof word);
        return inputs[word & 0xffff] + inputs[word >> 16];
    }
    return inputs[*index];
}

/* One sample: four sums, so that an addition need not wait for the one before. */
static inline __attribute__((always_inline)) void vector_rows(const Matrix *matrix,
                                                              const float *inputs, float *sums,
                                                              int begin, int end, int chunk)
{
    const float *codebook = matrix->codebook;
    for (int block = 0; block < matrix->blocks; block++) {
        const int32_t *pointers = matrix->pointers + (size_t)block * matrix->rows;
        for (int row = begin; row < end; row++) {
            float total[4] = {block ? sums[row] : matrix->bias[row]};
            int k = pointers[row];
            const int last = pointers[row + 1];
            for (; k + 4 <= last; k += 4)
                for (int each = 0; each < 4; each++)
                    total[each] += codebook[matrix->codes[k + each]] *
                                   gathered(inputs, matrix->indices + (size_t)(k + each) * chunk,
                                            chunk);
            for (; k < last; k++)
                total[0] += codebook[matrix->codes[k]] *
                            gathered(inputs, matrix->indices + (size_t)k * chunk, chunk);
            sums[row] = (total[0] + total[1]) + (total[2] + total[3]);
        }
    }
}

#ifdef CODES_IN_REGISTERS
/* Four inputs by four loads: several processors do so faster than by their gather instruction. */
static inline __m128 four_inputs(const float *inputs, const uint16_t *index)
{
    uint64_t word;
    memcpy(&word, index, sizeof word);
    __m128 found = _mm_load_ss(inputs + (word & 0xffff));
    found = _mm_insert_ps(found, _mm_load_ss(inputs + (word >> 16 & 0xffff)), 0x10);
    found = _mm_insert_ps(found, _mm_load_ss(inputs + (word >> 32 & 0xffff)), 0x20);
    return _mm_insert_ps(found, _mm_load_ss(inputs + (word >> 48)), 0x30);
}

/* One sample, chunks of one index, at most 32 codes: the codebook is held in two registers. */
static void vector_in_registers(const Matrix *matrix, const float *inputs, float *sums, int begin,
                                int end)
{
    const __m512 low = _mm512_loadu_ps(matrix->codebook);
    const __m512 high = _mm512_loadu_ps(matrix->codebook + 16);
    for (int block = 0; block < matrix->blocks; block++) {
        const int32_t *pointers = matrix->pointers + (size_t)block * matrix->rows;
        for (int row = begin; row < end; row++) {
            __m512 total = _mm512_setzero_ps();
            int k = pointers[row];
            const int last = pointers[row + 1];
            for (; k + 16 <= last; k += 16) {
                const uint16_t *index = matrix->indices + k;
                __m512i code =
                    _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(matrix->codes + k)));
                __m512 found = _mm512_castps128_ps512(four_inputs(inputs, index));
                found = _mm512_insertf32x4(found, four_inputs(inputs, index + 4), 1);
                found = _mm512_insertf32x4(found, four_inputs(inputs, index + 8), 2);
                found = _mm512_insertf32x4(found, four_inputs(inputs, index + 12), 3);
                total = _mm512_fmadd_ps(_mm512_permutex2var_ps(low, code, high), found, total);
            }
            if (k < last) {
                const __mmask16 rest = (__mmask16)((1u << (last - k)) - 1);
                __m512i code = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(rest, matrix->codes + k));
                __m512i index =
                    _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(rest, matrix->indices + k));
                __m512 found =
                    _mm512_mask_i32gather_ps(_mm512_setzero_ps(), rest, index, inputs, 4);
                total = _mm512_fmadd_ps(_mm512_permutex2var_ps(low, code, high), found, total);
            }
            sums[row] = _mm512_reduce_add_ps(total) + (block ? sums[row] : matrix->bias[row]);
        }
    }
}
#endif

static void vector(const Matrix *matrix, const float *inputs, float *sums, int begin, int end)
{
#ifdef CODES_IN_REGISTERS
    if (matrix->chunk == 1 && matrix->shared <= CODES_IN_REGISTERS) {
        vector_in_registers(matrix, inputs, sums, begin, end);
        return;
    }
#endif
    if (matrix->chunk == 4)
        vector_rows(matrix, inputs, sums, begin, end, 4);
    else if (matrix->chunk == 2)
        vector_rows(matrix, inputs, sums, begin, end, 2);
    else
        vector_rows(matrix, inputs, sums, begin, end, 1);
}

static void product(const Matrix *matrix, const float *panel, float *sums, int begin, int end,
                    int width)
{
    if (width == 1)
        vector(matrix, panel, sums, begin, end);
    else if (width == 4)
        four(matrix, panel, sums, begin, end, 1);
    else if (width == 8)
        eight(matrix, panel, sums, begin, end, 1);
    else
        sixteen(matrix, panel, sums, begin, end, width / LINE);
}

/* Row where the part-th of *parts* equal shares of the first block's chunks begins: the other
 * blocks' are spread over the rows alike. */
static int share(const Matrix *matrix, int part, int parts)
{
    if (part == 0 || part == parts)
        return part ? matrix->rows : 0;
    const int32_t wanted = (int32_t)((int64_t)matrix->pointers[matrix->rows] * part / parts);
    int low = 0, high = matrix->rows;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (matrix->pointers[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Columns begin to end - 1 of *samples* samples, into the panel; samples beyond are zeros. */
static void pack(float *panel, const float *inputs, int samples, int width, long sample_stride,
                 long column_stride, int begin, int end)
{
    for (int first = begin; first < end; first += LINE) {
        const int last = first + LINE < end ? first + LINE : end;
        for (int sample = 0; sample < width; sample++)
            for (int column = first; column < last; column++)
                panel[(size_t)column * width + sample] =
                    sample < samples ? inputs[sample * sample_stride + column * column_stride] : 0;
    }
}

static int panel_width(const Matrix *matrix, int samples)
{
    if (samples == 1)
        return 1;
    if (samples <= 4)
        return 4;
    if (samples <= 8)
        return 8;
    const size_t near = (size_t)(matrix->columns + 1) * LINE * sizeof(float);
    return samples >= WIDEST && near > NEAR_BYTES ? WIDEST : LINE;
}

static void panel_product(const Matrix *matrix, const float *inputs, int samples, int width,
                          const long *strides, float *outputs, float *panel, float *sums,
                          int threads)
{
    (void)threads;
    if (width == 1) /* a copy of one sample is shorter than waiting for each other after it */
        pack(panel, inputs, 1, 1, strides[0], strides[1], 0, matrix->columns);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
#ifdef _OPENMP
        const int part = omp_get_thread_num(), parts = omp_get_num_threads();
#else
        const int part = 0, parts = 1;
#endif
        if (width > 1) {
            pack(panel, inputs, samples, width, strides[0], strides[1],
                 (int)((int64_t)matrix->columns * part / parts),
                 (int)((int64_t)matrix->columns * (part + 1) / parts));
#pragma omp barrier
        }
        const int begin = share(matrix, part, parts), end = share(matrix, part + 1, parts);
        product(matrix, panel, sums, begin, end, width);
        for (int row = begin; row < end; row++)
            for (int sample = 0; sample < samples; sample++)
                outputs[sample * strides[2] + row * strides[3]] =
                    sums[(size_t)row * width + sample];
    }
}

/* outputs = matrix · inputs + bias for each sample; 0, or 1 where there is no memory.
 *
 * shape is (blocks, rows, columns, chunk, shared weights); pointers, in chunks, are
 * blocks * rows + 1; strides are those of the inputs' samples and columns and the outputs' samples
 * and rows. The codebook has at least 32 entries. */
int joules_shared_product(const int32_t *shape, const int32_t *pointers, const uint16_t *indices,
                          const uint8_t *codes, const float *codebook, const float *bias,
                          const float *inputs, float *outputs, int samples, const long *strides,
                          int threads)
{
    const Matrix matrix = {shape[0], shape[1], shape[2], shape[3], shape[4],
                           pointers, indices,  codes,    codebook, bias};
    const size_t most = (size_t)panel_width(&matrix, samples);
    const size_t floats = ((size_t)matrix.columns + 1 + (size_t)matrix.rows) * most;
    /* whole lines: a vector that lies across two of them costs two loads */
    const size_t bytes = (floats / LINE + 1) * LINE * sizeof(float);
    float *panel = aligned_alloc(LINE * sizeof(float), bytes);
    if (!panel)
        return 1;
    const int64_t work =
        (int64_t)pointers[(size_t)matrix.blocks * matrix.rows] * matrix.chunk * samples;
    for (int first = 0; first < samples;) {
        const int width = panel_width(&matrix, samples - first);
        const int taken = samples - first < width ? samples - first : width;
        float *sums = panel + (size_t)(matrix.columns + 1) * width;
        memset(panel + (size_t)matrix.columns * width, 0, (size_t)width * sizeof(float));
        panel_product(&matrix, inputs + first * strides[0], taken, width, strides,
                      outputs + first * strides[2], panel, sums, work < ALONE ? 1 : threads);
        first += taken;
    }
    free(panel);
    return 0;
}
