/* Bodies: JSON as it is, or a form with payload_json and files[n].
 * https://docs.discord.com/developers/reference#uploading-files */
#include "simulator/rest_internal.h"

#include "harness/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FORM_CHUNK 1024 /* libmicrohttpd's own buffer for names and headers of parts */

static struct rest_file *file_numbered(struct rest_call *call, int number)
{
    for (size_t i = 0; i < call->file_count; i++)
        if (call->files[i].number == number)
            return &call->files[i];
    if (call->file_count == REST_FILES_MAX)
        return NULL;
    call->files[call->file_count] = (struct rest_file){ .number = number };
    return &call->files[call->file_count++];
}

static void take_bytes(struct rest_file *file, const char *data, size_t size)
{
    file->size += size;
    buf_append_bytes(&file->bytes, data, size);
    must_hold(&file->bytes);
}

static enum MHD_Result take_file(struct rest_call *call, const char *key, const char *filename,
                                 const char *data, uint64_t offset, size_t size)
{
    int64_t number;
    size_t length = strlen(key);
    bool is_name = str_starts_with(str_from(key), STR("files[")) && key[length - 1] == ']' &&
                   str_to_uint63((struct str_view){ key + 6, length - 7 }, &number) == 0 &&
                   number < INT32_MAX;
    if (!is_name) {
        call->form_problem = "a part is neither payload_json nor files[n]";
        return MHD_YES;
    }
    if (!filename || !*filename)
        call->form_problem = "a file has no filename";
    struct rest_file *file = file_numbered(call, (int)number);
    if (!file)
        call->form_problem = "more than 10 files";
    else if (offset == 0 && file->size > 0)
        call->form_problem = "two files have the same number";
    else
        take_bytes(file, data, size);
    return MHD_YES;
}

static enum MHD_Result take_part(void *context, enum MHD_ValueKind kind, const char *key,
                                 const char *filename, const char *content_type,
                                 const char *transfer_encoding, const char *data, uint64_t offset,
                                 size_t size)
{
    struct rest_call *call = context;
    (void)kind, (void)transfer_encoding;
    if (strcmp(key, "payload_json") != 0)
        return take_file(call, key, filename, data, offset, size);
    if (content_type && strncasecmp(content_type, "application/json", 16) != 0)
        call->form_problem = "payload_json's Content-Type is not application/json";
    if (offset == 0 && call->payload.length > 0)
        call->form_problem = "payload_json comes twice";
    buf_append_bytes(&call->payload, data, size);
    return MHD_YES;
}

static void read_form(struct rest_call *call)
{
    struct MHD_PostProcessor *processor =
        MHD_create_post_processor(call->connection, FORM_CHUNK, take_part, call);
    if (!processor) {
        call->form_problem = "the form has no boundary";
        return;
    }
    enum MHD_Result result = MHD_YES;
    if (call->body.length > 0)
        result = MHD_post_process(processor, call->body.data, call->body.length);
    if (MHD_destroy_post_processor(processor) != MHD_YES || result != MHD_YES)
        call->form_problem = "the form is cut off or not well made";
    else if (call->payload.length == 0 && !call->form_problem)
        call->form_problem = "payload_json is missing";
}

void rest_read_body(struct rest_call *call)
{
    const char *type =
        MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, "Content-Type");
    if (type && strncasecmp(type, "multipart/form-data", 19) == 0) {
        call->is_multipart = true;
        read_form(call);
    } else if (call->body.length > 0) {
        buf_append(&call->payload, buf_view(&call->body));
        if (!type || strncasecmp(type, "application/json", 16) != 0)
            call->form_problem = "Content-Type is neither application/json nor multipart/form-data";
    }
    must_hold(&call->payload);
}
