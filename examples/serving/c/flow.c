/* Scores examples and draws samples with an exported flow, by TensorFlow's C API alone: no Python.

   flow MODEL log_prob FILE          FILE: the raw numbers of some examples, one after the other; prints a line each
   flow MODEL sample COUNT SEED T    prints COUNT samples, a line each; those of Flow.sample(COUNT, seed=SEED, temperature=T)
   flow MODEL decode FILE            FILE: the raw float32 numbers of some latents

   MODEL is the folder of a version. What TensorFlow refuses ends with exit code 1 and its code and message,
   every other error with 2. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

#define MOST 8 /* inputs or outputs of a signature, and dimensions of a tensor */

typedef struct {
  char key[64], operation[256];
  int index, dtype, rank;
  int64_t size[MOST];
} Info;

typedef struct {
  Info inputs[MOST], outputs[MOST];
  int input_count, output_count;
} Signature;

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s: %s\n", what, detail);
  exit(2);
}

static void check(TF_Status *status) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "code %d: %s\n", TF_GetCode(status), TF_Message(status));
  exit(1);
}

/* ---- the signature, out of the serialized MetaGraphDef ---- */

typedef struct {
  const uint8_t *at, *end;
} Bytes;

static uint64_t varint(Bytes *from) {
  uint64_t value = 0;
  for (int shift = 0; from->at < from->end && shift < 64; shift += 7) {
    uint8_t byte = *from->at++;
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return value;
  }
  fail("saved_model.pb", "ends within a number");
  return 0;
}

/* The next field of a message: its number, and its bytes or its value; 0 at the end. */
static int next(Bytes *from, Bytes *bytes, uint64_t *value) {
  if (from->at >= from->end) return 0;
  uint64_t tag = varint(from);
  uint64_t length = (tag & 7) == 1 ? 8 : (tag & 7) == 5 ? 4 : 0;
  if ((tag & 7) == 0) *value = varint(from);
  if ((tag & 7) == 2) length = varint(from);
  if (length > (uint64_t)(from->end - from->at)) fail("saved_model.pb", "ends within a field");
  *bytes = (Bytes){from->at, from->at + length};
  from->at += length;
  return (int)(tag >> 3);
}

static void text(Bytes bytes, char *to, size_t size) {
  size_t length = bytes.end - bytes.at;
  if (length >= size) fail("saved_model.pb", "a name is too long");
  memcpy(to, bytes.at, length);
  to[length] = 0;
}

static void parse_info(Bytes from, Info *info) {
  Bytes bytes, inner;
  uint64_t value = 0;
  for (int field; (field = next(&from, &bytes, &value));) {
    if (field == 1) { /* "operation:index" */
      text(bytes, info->operation, sizeof info->operation);
      char *colon = strrchr(info->operation, ':');
      if (colon) {
        info->index = atoi(colon + 1);
        *colon = 0;
      }
    }
    if (field == 2) info->dtype = (int)value;
    if (field == 3) {
      for (int kind; (kind = next(&bytes, &inner, &value));) {
        if (kind != 2) continue; /* a dimension */
        if (info->rank == MOST) fail(info->operation, "has too many dimensions");
        int64_t size = 0;
        Bytes unused;
        while (next(&inner, &unused, &value)) size = size ? size : (int64_t)value;
        info->size[info->rank++] = size;
      }
    }
  }
}

static void parse_infos(Bytes entry, Info *infos, int *count) {
  Bytes bytes;
  uint64_t value;
  if (*count == MOST) fail("signature", "has too many tensors");
  Info *info = &infos[(*count)++];
  for (int field; (field = next(&entry, &bytes, &value));) {
    if (field == 1) text(bytes, info->key, sizeof info->key);
    if (field == 2) parse_info(bytes, info);
  }
}

static Signature find_signature(const TF_Buffer *meta_graph, const char *wanted) {
  Bytes from = {meta_graph->data, (const uint8_t *)meta_graph->data + meta_graph->length}, entry, bytes, definition;
  uint64_t value;
  for (int field; (field = next(&from, &entry, &value));) {
    if (field != 5) continue; /* an entry of the map of signatures */
    char name[64] = "";
    definition = (Bytes){0};
    for (int kind; (kind = next(&entry, &bytes, &value));) {
      if (kind == 1) text(bytes, name, sizeof name);
      if (kind == 2) definition = bytes;
    }
    if (strcmp(name, wanted)) continue;
    Signature found = {0};
    for (int kind; (kind = next(&definition, &bytes, &value));) {
      if (kind == 1) parse_infos(bytes, found.inputs, &found.input_count);
      if (kind == 2) parse_infos(bytes, found.outputs, &found.output_count);
    }
    return found;
  }
  fail("no signature", wanted);
  exit(2);
}

static const Info *find(const Info *infos, int count, const char *key) {
  for (int i = 0; i < count; i++)
    if (!strcmp(infos[i].key, key)) return &infos[i];
  fail("the signature has no", key);
  return 0;
}

/* ---- tensors ---- */

static size_t row_bytes(const Info *info) {
  size_t bytes = TF_DataTypeSize(info->dtype);
  for (int i = 1; i < info->rank; i++) bytes *= info->size[i];
  return bytes;
}

static TF_Tensor *tensor(const Info *info, int64_t rows, const void *data) {
  int64_t size[MOST];
  memcpy(size, info->size, sizeof size);
  size[0] = rows;
  size_t bytes = rows * row_bytes(info);
  TF_Tensor *made = TF_AllocateTensor(info->dtype, size, info->rank, bytes);
  if (bytes) memcpy(TF_TensorData(made), data, bytes);
  return made;
}

static TF_Tensor *read_rows(const Info *info, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail(path, "can't be read");
  fseek(file, 0, SEEK_END);
  size_t bytes = ftell(file);
  rewind(file);
  char *data = malloc(bytes + 1);
  if (!data || fread(data, 1, bytes, file) != bytes) fail(path, "can't be read");
  fclose(file);
  if (bytes % row_bytes(info)) fail(path, "does not hold whole rows");
  TF_Tensor *made = tensor(info, bytes / row_bytes(info), data);
  free(data);
  return made;
}

static void check_number(const char *word, const char *end) {
  if (end == word || *end) fail(word, "is not a valid number");
}

static void print_rows(const TF_Tensor *values) {
  int64_t rows = TF_Dim(values, 0), width = rows ? TF_TensorElementCount(values) / rows : 0;
  for (int64_t i = 0; i < rows * width; i++) {
    if (TF_TensorType(values) == TF_UINT8)
      printf("%d", ((const uint8_t *)TF_TensorData(values))[i]);
    else
      printf("%.9g", ((const float *)TF_TensorData(values))[i]);
    putchar((i + 1) % width ? ' ' : '\n');
  }
  if (fflush(stdout) || ferror(stdout)) fail("output", "can't be written");
}

/* ---- seeds: those of flowzoo.core.random.row_seeds, Threefry-2x32 of Salmon et al. 2011 ---- */

static void row_seed(uint64_t seed, uint32_t row, int32_t *to) {
  static const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  uint32_t keys[3] = {(uint32_t)seed, (uint32_t)(seed >> 32), 0}, a, b;
  keys[2] = keys[0] ^ keys[1] ^ 0x1BD11BDA;
  a = row + keys[0];
  b = keys[1];
  for (int group = 0; group < 5; group++) {
    for (int i = 0; i < 4; i++) {
      int rotation = rotations[group % 2][i];
      a += b;
      b = (b << rotation | b >> (32 - rotation)) ^ a;
    }
    a += keys[(group + 1) % 3];
    b += keys[(group + 2) % 3] + group + 1;
  }
  to[0] = (int32_t)a;
  to[1] = (int32_t)b;
}

static TF_Output place(TF_Graph *graph, const Info *info) {
  TF_Output found = {TF_GraphOperationByName(graph, info->operation), info->index};
  if (!found.oper) fail("no operation", info->operation);
  return found;
}

int main(int count, char **words) {
  if (count < 4 || (!strcmp(words[2], "sample") && count < 6))
    fail("usage", "flow MODEL log_prob|decode FILE, or flow MODEL sample COUNT SEED T");
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  TF_Buffer *meta_graph = TF_NewBuffer();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(options, 0, words[1], tags, 1, graph, meta_graph, status);
  check(status);

  const char *name = words[2];
  int samples = !strcmp(name, "sample");
  Signature signature = find_signature(meta_graph, name);
  TF_Tensor *values[2];
  const Info *given[2];
  if (samples) {
    char *ends[3];
    int64_t rows = strtoll(words[3], &ends[0], 10);
    uint64_t seed = strtoull(words[4], &ends[1], 10);
    float temperature = strtof(words[5], &ends[2]);
    for (int i = 0; i < 3; i++) check_number(words[3 + i], ends[i]);
    if (rows < 0 || rows > 1 << 24) fail(words[3], "must be a number of rows from 0 to 2^24");
    int32_t *seeds = malloc(rows * 2 * sizeof *seeds + 1);
    float *temperatures = malloc(rows * sizeof *temperatures + 1);
    if (!seeds || !temperatures) fail("sample", "no memory");
    for (int64_t i = 0; i < rows; i++) {
      row_seed(seed, (uint32_t)i, seeds + 2 * i);
      temperatures[i] = temperature;
    }
    given[0] = find(signature.inputs, signature.input_count, "seed");
    given[1] = find(signature.inputs, signature.input_count, "temperature");
    values[0] = tensor(given[0], rows, seeds);
    values[1] = tensor(given[1], rows, temperatures);
  } else {
    given[0] = find(signature.inputs, signature.input_count, strcmp(name, "decode") ? "x" : "z");
    values[0] = read_rows(given[0], words[3]);
  }
  if (signature.input_count != 1 + samples) fail(name, "takes a condition, which this example does not give");

  TF_Output inputs[2];
  for (int i = 0; i <= samples; i++) inputs[i] = place(graph, given[i]);
  const char *wanted = strcmp(name, "log_prob") ? "x" : "log_prob";
  TF_Output output = place(graph, find(signature.outputs, signature.output_count, wanted));
  TF_Tensor *result = 0;
  TF_SessionRun(session, 0, inputs, values, 1 + samples, &output, &result, 1, 0, 0, 0, status);
  check(status);
  print_rows(result);

  TF_DeleteTensor(result);
  for (int i = 0; i <= samples; i++) TF_DeleteTensor(values[i]);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteBuffer(meta_graph);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
