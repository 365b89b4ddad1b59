/* A stand-in for NVIDIA's libnvidia-ml.so.1, for machines without one: shared/counters.md §2.4.
 *
 * Build: cc -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o libnvidia-ml.so.1 fake_nvml.c
 * Use:   LD_LIBRARY_PATH=<its folder> python …     (the unmodified pynvml then loads it)
 *
 * Every GPU draws a power that is known at each moment of CLOCK_MONOTONIC, and its counter shows
 * the integral of that power from time 0, held from refresh to refresh. Set by the environment:
 *
 *   FAKE_NVML_GPUS      how many (1)
 *   FAKE_NVML_UUIDS     comma list, in NVML's order          FAKE_NVML_PCI   bus numbers, hex
 *   FAKE_NVML_NAMES     comma list                           FAKE_NVML_WATTS comma list (300)
 *   FAKE_NVML_LOW_WATTS, FAKE_NVML_PERIOD_MS   a square wave: watts in the first half of each
 *                       period of CLOCK_MONOTONIC, low watts in the second
 *   FAKE_NVML_HOLD_MS   from one refresh to the next (100)
 *   FAKE_NVML_ARCH      architecture (9)                     FAKE_NVML_LIMIT_MW (700000)
 *   FAKE_NVML_MIG       1: sliced                            FAKE_NVML_REASONS  clock event bits
 *   FAKE_NVML_PIDS      comma list of processes that compute
 *   FAKE_NVML_JETSON    1: starts, lists one GPU, supports nothing else
 *   FAKE_NVML_ERR       function=code[@since_s][#gpu],…      since_s: of CLOCK_MONOTONIC
 *   FAKE_NVML_FIELD_ERR field=code,…                         while the call itself succeeds
 *
 * Compile with -DNO_ENERGY, -DNO_FIELDS, -DNO_EVENT_REASONS or -DNO_PROCESSES_V3 for a driver
 * that does not have those symbols.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int nvmlReturn_t;
typedef struct gpu *nvmlDevice_t;
enum {
    OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7, VERSION_MISMATCH = 25
};
enum { UINT = 1, ULL = 3 };
enum { MOST_GPUS = 8 };

struct gpu { unsigned index; };

typedef union {
    double dVal; unsigned uiVal; unsigned long ulVal; unsigned long long ullVal;
    long long sllVal; int siVal; unsigned short usVal;
} value_t;
typedef struct {
    unsigned fieldId, scopeId; long long timestamp, latencyUsec;
    unsigned valueType; nvmlReturn_t nvmlReturn; value_t value;
} field_t;
typedef struct { unsigned long long timeStamp; value_t value; } sample_t;
typedef struct {
    char busIdLegacy[16]; unsigned domain, bus, device, pciDeviceId, pciSubSystemId; char busId[32];
} pci_t;
typedef struct { unsigned version, sensorType; int temperature; } temperature_t;
typedef struct {
    unsigned pid; unsigned long long usedGpuMemory; unsigned gpuInstanceId, computeInstanceId;
} process_t;
typedef struct { unsigned gpu, memory; } utilization_t;
_Static_assert(sizeof(field_t) == 40, "as pynvml has it");
_Static_assert(sizeof(sample_t) == 16, "as pynvml has it");
_Static_assert(sizeof(pci_t) == 68, "as pynvml has it");

static struct gpu gpus[MOST_GPUS] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};
static int started;

static double number(const char *name, double otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtod(text, NULL) : otherwise;
}

/* The index-th part of a comma list; 0 if there is none. */
static int part(const char *name, unsigned index, char *out, size_t length) {
    const char *at = getenv(name);
    if (!at || !*at) return 0;
    while (index--) {
        at = strchr(at, ',');
        if (!at) return 0;
        at++;
    }
    size_t found = strcspn(at, ",");
    if (found >= length) found = length - 1;
    memcpy(out, at, found);
    out[found] = 0;
    return 1;
}

static unsigned long long now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (unsigned long long)t.tv_sec * 1000000000ULL + (unsigned long long)t.tv_nsec;
}

/* The code to fail with: of "name=code[@since_s][#gpu],…" in *list*. */
static nvmlReturn_t failure(const char *list, const char *name, int gpu) {
    char entry[128];
    for (unsigned i = 0; part(list, i, entry, sizeof entry); i++) {
        char *equals = strchr(entry, '=');
        if (!equals) continue;
        *equals = 0;
        if (strcmp(entry, name)) continue;
        char *since = strchr(equals + 1, '@'), *which = strchr(equals + 1, '#');
        if (since && (double)now_ns(CLOCK_MONOTONIC) / 1e9 < strtod(since + 1, NULL)) continue;
        if (which && gpu != atoi(which + 1)) continue;
        return atoi(equals + 1);
    }
    return OK;
}

static nvmlReturn_t allowed(const char *function, int gpu) {
    nvmlReturn_t code = failure("FAKE_NVML_ERR", function, gpu);
    if (code) return code;
    return started ? OK : UNINITIALIZED;
}

static int is_jetson(void) { return (int)number("FAKE_NVML_JETSON", 0); }
static unsigned count(void) { return is_jetson() ? 1 : (unsigned)number("FAKE_NVML_GPUS", 1); }
static int index_of(nvmlDevice_t d) { return d ? (int)d->index : -1; }

#define CHECK(d) do { nvmlReturn_t code_ = allowed(__func__, index_of(d)); \
    if (code_) return code_; } while (0)
#define CHECK_NOT_JETSON(d) do { CHECK(d); if (is_jetson()) return NOT_SUPPORTED; } while (0)

static double watts(nvmlDevice_t d, const char *list, double otherwise) {
    char text[64];
    return part(list, d->index, text, sizeof text) ? strtod(text, NULL) : otherwise;
}

static unsigned long long hold_ns(void) {
    return (unsigned long long)(number("FAKE_NVML_HOLD_MS", 100) * 1e6);
}

static unsigned long long tick_ns(void) {
    return now_ns(CLOCK_MONOTONIC) / hold_ns() * hold_ns();
}

/* Joules from time 0 of CLOCK_MONOTONIC to *ns*. */
static double joules(nvmlDevice_t d, unsigned long long ns) {
    double high = watts(d, "FAKE_NVML_WATTS", 300), low = watts(d, "FAKE_NVML_LOW_WATTS", high);
    unsigned long long period = (unsigned long long)(number("FAKE_NVML_PERIOD_MS", 1000) * 1e6);
    unsigned long long whole = ns / period, rest = ns % period, half = period / 2;
    unsigned long long first = rest < half ? rest : half;
    double each = high * (double)half + low * (double)(period - half);
    return ((double)whole * each + high * (double)first + low * (double)(rest - first)) / 1e9;
}

__attribute__((unused)) static unsigned long long millijoules(nvmlDevice_t d) {
    return (unsigned long long)(joules(d, tick_ns()) * 1e3);
}

/* Mean power of *seconds* before the last refresh; as a real one, its last digit flickers. */
static unsigned milliwatts(nvmlDevice_t d, double seconds) {
    unsigned long long end = tick_ns(), span = (unsigned long long)(seconds * 1e9);
    double mean = (joules(d, end) - joules(d, end - span)) / seconds * 1e3;
    return (unsigned)(mean + 0.001) + (unsigned)(end / hold_ns() % 2);
}

static nvmlReturn_t give(char *out, unsigned length, const char *text) {
    if (strlen(text) + 1 > length) return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return OK;
}

static void uuid_of(unsigned index, char *out, size_t length) {
    if (!part("FAKE_NVML_UUIDS", index, out, length))
        snprintf(out, length, "GPU-00000000-0000-0000-0000-%012u", index);
}

static unsigned bus_of(unsigned index) {
    char text[16];
    return part("FAKE_NVML_PCI", index, text, sizeof text)
        ? (unsigned)strtoul(text, NULL, 16) : 0x17 + index;
}

nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    nvmlReturn_t code = failure("FAKE_NVML_ERR", __func__, -1);
    if (!code) started++;
    return code;
}

nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

nvmlReturn_t nvmlShutdown(void) {
    CHECK(NULL);
    started--;
    return OK;
}

const char *nvmlErrorString(nvmlReturn_t code) {
    switch (code) {
    case 10: return "Timeout";
    case 21: return "No data";
    case 28: return "GPU not found";
    default: return "an error of the fake library";
    }
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *out, unsigned length) {
    CHECK(NULL);
    return give(out, length, "999.99");
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *out, unsigned length) {
    CHECK(NULL);
    return give(out, length, "13.999.99");
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *n) {
    CHECK(NULL);
    *n = count();
    return OK;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *d) {
    nvmlReturn_t code = allowed(__func__, (int)index);
    if (code) return code;
    if (index >= count() || index >= MOST_GPUS) return INVALID_ARGUMENT;
    *d = &gpus[index];
    return OK;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *d) {
    CHECK(NULL);
    for (unsigned i = 0; i < count(); i++) {
        char text[96];
        uuid_of(i, text, sizeof text);
        if (!strcmp(text, uuid)) {
            *d = &gpus[i];
            return OK;
        }
    }
    return NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus, nvmlDevice_t *d) {
    CHECK(NULL);
    for (unsigned i = 0; i < count(); i++) {
        char text[32];
        snprintf(text, sizeof text, "%08X:%02X:%02X.0", 0u, bus_of(i), 0u);
        if (!strcmp(text, bus)) {
            *d = &gpus[i];
            return OK;
        }
    }
    return NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t d, char *out, unsigned length) {
    CHECK(d);
    char text[96];
    if (is_jetson()) return give(out, length, "Orin (nvgpu)");
    if (part("FAKE_NVML_NAMES", d->index, text, sizeof text)) return give(out, length, text);
    return give(out, length, "NVIDIA H100 80GB HBM3");
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t d, char *out, unsigned length) {
    CHECK(d);
    char text[96];
    uuid_of(d->index, text, sizeof text);
    return give(out, length, text);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, pci_t *pci) {
    CHECK_NOT_JETSON(d);
    memset(pci, 0, sizeof *pci);
    pci->bus = bus_of(d->index);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", 0u, pci->bus, 0u);
    snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", 0u, pci->bus, 0u);
    return OK;
}

nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t d, unsigned *architecture) {
    CHECK(d);
    *architecture = (unsigned)number("FAKE_NVML_ARCH", is_jetson() ? 7 : 9);
    return OK;
}

#ifndef NO_ENERGY
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t d, unsigned long long *mj) {
    CHECK_NOT_JETSON(d);
    *mj = millijoules(d);
    return OK;
}
#endif

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t d, unsigned *mw) {
    CHECK_NOT_JETSON(d);
    *mw = milliwatts(d, number("FAKE_NVML_ARCH", 9) < 7 ? 0.1 : 1.0);
    return OK;
}

#ifndef NO_FIELDS
nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t d, int n, field_t *values) {
    CHECK_NOT_JETSON(d);
    for (int i = 0; i < n; i++) {
        field_t *v = &values[i];
        char id[16];
        snprintf(id, sizeof id, "%u", v->fieldId);
        v->timestamp = (long long)(now_ns(CLOCK_REALTIME) / 1000);
        v->latencyUsec = 0;
        v->valueType = UINT;
        v->value.ullVal = 0;
        v->nvmlReturn = failure("FAKE_NVML_FIELD_ERR", id, index_of(d));
        if (v->nvmlReturn) continue;
        if (v->scopeId != 0) v->nvmlReturn = NOT_SUPPORTED;
        else if (v->fieldId == 83 || v->fieldId == 191) {
            v->valueType = ULL;
            v->value.ullVal = millijoules(d);
        } else if (v->fieldId == 185) v->value.uiVal = milliwatts(d, 1.0);
        else if (v->fieldId == 186) v->value.uiVal = milliwatts(d, 0.1);
        else v->nvmlReturn = NOT_SUPPORTED;
    }
    return OK;
}
#endif

nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t d, int type, unsigned long long last_seen_us,
                                  int *value_type, unsigned *n, sample_t *samples) {
    CHECK_NOT_JETSON(d);
    if (type != 0) return NOT_SUPPORTED;
    unsigned long long now_us = now_ns(CLOCK_REALTIME) / 1000, step_us = 20000;
    if (last_seen_us + step_us > now_us) return NOT_FOUND;
    *value_type = UINT;
    if (!samples) {
        *n = 120;
        return OK;
    }
    unsigned long long first = now_us - 119 * step_us;
    if (last_seen_us >= first) first = last_seen_us + step_us;
    unsigned found = 0;
    for (unsigned long long t = first; t <= now_us && found < *n; t += step_us, found++) {
        samples[found].timeStamp = t;
        samples[found].value.uiVal = milliwatts(d, 0.1);
    }
    *n = found;
    return OK;
}

static nvmlReturn_t reasons(nvmlDevice_t d, unsigned long long *bits) {
    if (is_jetson()) return NOT_SUPPORTED;
    (void)d;
    *bits = (unsigned long long)number("FAKE_NVML_REASONS", 0);
    return OK;
}

#ifndef NO_EVENT_REASONS
nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t d, unsigned long long *bits) {
    CHECK(d);
    return reasons(d, bits);
}
#endif

nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t d, unsigned long long *bits) {
    CHECK(d);
    return reasons(d, bits);
}

static nvmlReturn_t processes(unsigned *n, process_t *found) {
    char text[32];
    unsigned most = *n, have = 0;
    while (part("FAKE_NVML_PIDS", have, text, sizeof text)) {
        if (found && have < most) {
            memset(&found[have], 0, sizeof *found);
            found[have].pid = (unsigned)strtoul(text, NULL, 10);
        }
        have++;
    }
    *n = have;
    return have > most || (have && !found) ? INSUFFICIENT_SIZE : OK;
}

#ifndef NO_PROCESSES_V3
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t d, unsigned *n, process_t *p) {
    CHECK_NOT_JETSON(d);
    return processes(n, p);
}
#endif

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t d, unsigned *n, process_t *p) {
    CHECK_NOT_JETSON(d);
    return processes(n, p);
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t d, temperature_t *t) {
    CHECK_NOT_JETSON(d);
    if (t->version != 0x100000C) return VERSION_MISMATCH;
    t->temperature = 45;
    return OK;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t d, int sensor, unsigned *celsius) {
    CHECK_NOT_JETSON(d);
    if (sensor != 0) return INVALID_ARGUMENT;
    *celsius = 45;
    return OK;
}

static nvmlReturn_t limit(unsigned *mw) {
    *mw = (unsigned)number("FAKE_NVML_LIMIT_MW", 700000);
    return OK;
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t d, unsigned *mw) {
    CHECK_NOT_JETSON(d);
    return limit(mw);
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t d, unsigned *mw) {
    CHECK_NOT_JETSON(d);
    return limit(mw);
}

nvmlReturn_t nvmlDeviceGetPowerManagementDefaultLimit(nvmlDevice_t d, unsigned *mw) {
    CHECK_NOT_JETSON(d);
    return limit(mw);
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t d, unsigned *current, unsigned *pending) {
    CHECK_NOT_JETSON(d);
    *current = *pending = (unsigned)number("FAKE_NVML_MIG", 0);
    return OK;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t d, int type, unsigned *mhz) {
    CHECK_NOT_JETSON(d);
    (void)type;
    *mhz = 1500;
    return OK;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t d, utilization_t *u) {
    CHECK_NOT_JETSON(d);
    u->gpu = 50;
    u->memory = 10;
    return OK;
}

nvmlReturn_t nvmlDeviceGetC2cModeInfoV(nvmlDevice_t d, void *info) {
    CHECK(d);
    (void)info;
    return NOT_SUPPORTED;
}
