/* Runs a fuzz target over the files that it is given: the corpus in CI, a crash on the desk, an input of AFL++. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int count, char **names)
{
    static uint8_t bytes[1 << 16];
    int i;
    for (i = 1; i < count; ++i) {
        FILE *file = fopen(names[i], "rb");
        size_t size;
        if (file == NULL) {
            perror(names[i]);
            return 1;
        }
        size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        LLVMFuzzerTestOneInput(bytes, size);
    }
    printf("%d inputs\n", count - 1);
    return 0;
}
