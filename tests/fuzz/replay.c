/* Runs a fuzz target over files: the corpus as a unit test, or the input of a crash. Arguments are
 * files and folders; every file is one input. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_MAX_BYTES  4096
#define INPUT_MAX_BYTES ((size_t)1024 * 1024)

static int run_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 0;
    }
    uint8_t *bytes = malloc(INPUT_MAX_BYTES);
    FUZZ_CHECK(bytes);
    size_t size = fread(bytes, 1, INPUT_MAX_BYTES, file);
    fclose(file);
    uint8_t *exact = malloc(size ? size : 1);
    FUZZ_CHECK(exact);
    memcpy(exact, bytes, size);
    free(bytes);
    /* Named before it runs: the last name is the culprit. */
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

static int run_folder(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char name[PATH_MAX_BYTES];
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            count += run_file(name);
    }
    if (folder)
        closedir(folder);
    return count;
}

int main(int argument_count, char **arguments)
{
    int count = 0;
    for (int i = 1; i < argument_count; i++) {
        struct stat status;
        bool is_folder = stat(arguments[i], &status) == 0 && S_ISDIR(status.st_mode);
        count += is_folder ? run_folder(arguments[i]) : run_file(arguments[i]);
    }
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
