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

#define LINE 16     /* floats of a cache line */
#define ALONE 65536 /* fewer multiplications than this are not worth a second thread */

typedef float Four __attribute__((vector_size(16), aligned(4)));
typedef float Eight __attribute__((vector_size(32), aligned(4)));
typedef float Sixteen __attribute__((vector_size(64), aligned(4)));

typedef struct {
    int blocks, rows, columns, chunk;
    const int32_t *pointers;
    const uint16_t *indices;
    const uint8_t *codes;
    const float *codebook;
    const float *bias;
} Matrix;

/* Rows begin to end - 1 of the product with a panel of samples (columns + 1, width), into sums
 * (rows, width). Inlined with a constant for chunk. */
#define DEFINE_PANEL(NAME, VECTOR, WIDTH)                                                          \
    static inline __attribute__((always_inline)) void NAME##_rows(                                 \
        const Matrix *matrix, const float *panel, float *sums, int begin, int end, int chunk)      \
    {                                                                                              \
        for (int block = 0; block < matrix->blocks; block++) {                                     \
            const int32_t *pointers = matrix->pointers + (size_t)block * matrix->rows;             \
            for (int row = begin; row < end; row++) {                                              \
                VECTOR *out = (VECTOR *)(sums + (size_t)row * (WIDTH));                            \
                VECTOR total = block ? *out : (VECTOR){0} + matrix->bias[row];                     \
                for (int k = pointers[row]; k < pointers[row + 1]; k++) {                          \
                    const uint16_t *index = matrix->indices + (size_t)k * chunk;                   \
                    VECTOR sum = *(const VECTOR *)(panel + (size_t)index[0] * (WIDTH));            \
                    for (int each = 1; each < chunk; each++)                                       \
                        sum += *(const VECTOR *)(panel + (size_t)index[each] * (WIDTH));           \
                    total += matrix->codebook[matrix->codes[k]] * sum;                             \
                }                                                                                  \
                *out = total;                                                                      \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void NAME(const Matrix *matrix, const float *panel, float *sums, int begin, int end)    \
    {                                                                                              \
        if (matrix->chunk == 4)                                                                    \
            NAME##_rows(matrix, panel, sums, begin, end, 4);                                       \
        else if (matrix->chunk == 2)                                                               \
            NAME##_rows(matrix, panel, sums, begin, end, 2);                                       \
        else                                                                                       \
            NAME##_rows(matrix, panel, sums, begin, end, 1);                                       \
    }

DEFINE_PANEL(four, Four, 4)
DEFINE_PANEL(eight, Eight, 8)
DEFINE_PANEL(sixteen, Sixteen, 16)

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

/* One sample: four sums, so that an addition need not wait for the one before. Scalar loads: gather
 * instructions took twice as long, and a codebook held in registers was no faster. */
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

static void vector(const Matrix *matrix, const float *inputs, float *sums, int begin, int end)
{
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
        four(matrix, panel, sums, begin, end);
    else if (width == 8)
        eight(matrix, panel, sums, begin, end);
    else
        sixteen(matrix, panel, sums, begin, end);
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

/* Rows begin to end - 1 of the sums (rows, width), to where the outputs lie. */
static void unpack(float *outputs, const float *sums, int samples, int width, long sample_stride,
                   long row_stride, int begin, int end)
{
    for (int first = begin; first < end; first += LINE) {
        const int last = first + LINE < end ? first + LINE : end;
        for (int sample = 0; sample < samples; sample++)
            for (int row = first; row < last; row++)
                outputs[sample * sample_stride + row * row_stride] =
                    sums[(size_t)row * width + sample];
    }
}

/* Samples that are multiplied together: the more, the fewer times a weight is read. More than a
 * cache line of them was slower. */
static int panel_width(int samples)
{
    return samples == 1 ? 1 : samples <= 4 ? 4 : samples <= 8 ? 8 : LINE;
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
        unpack(outputs, sums, samples, width, strides[2], strides[3], begin, end);
    }
}

/* outputs = matrix · inputs + bias for each sample; 0, or 1 where there is no memory.
 *
 * shape is (blocks, rows, columns, indices of a chunk); pointers, in chunks, are blocks * rows + 1;
 * strides are those of the inputs' samples and columns, and of the outputs' samples and rows. */
int joules_shared_product(const int32_t *shape, const int32_t *pointers, const uint16_t *indices,
                          const uint8_t *codes, const float *codebook, const float *bias,
                          const float *inputs, float *outputs, int samples, const long *strides,
                          int threads)
{
    const Matrix matrix = {shape[0], shape[1], shape[2], shape[3],
                           pointers, indices,  codes,    codebook, bias};
    const size_t most = (size_t)panel_width(samples);
    const size_t floats = ((size_t)matrix.columns + 1 + (size_t)matrix.rows) * most;
    /* whole lines: a vector that lies across two of them costs two loads */
    const size_t bytes = (floats / LINE + 1) * LINE * sizeof(float);
    float *panel = aligned_alloc(LINE * sizeof(float), bytes);
    if (!panel)
        return 1;
    const int64_t work =
        (int64_t)pointers[(size_t)matrix.blocks * matrix.rows] * matrix.chunk * samples;
    for (int first = 0; first < samples;) {
        const int width = panel_width(samples - first);
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
