/* Runs a fuzz target over the files that it is given: the corpus in CI, a crash on the desk.

   Built with gcc's -fsanitize-coverage=trace-pc it also counts the basic blocks that each input makes the code run. They may
   be fuzz_work for each byte at most, so work that grows faster than the input fails here, long before it is a hang. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#if defined(__GNUC__) && !defined(__clang__)
#define UNCOUNTED __attribute__((no_sanitize_coverage))
#else
#define UNCOUNTED
#endif

extern const unsigned long fuzz_work;            /* the target's bound: basic blocks for each byte of input */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_cov_trace_pc(void);

static unsigned long work;

UNCOUNTED void __sanitizer_cov_trace_pc(void)
{
    work += 1;
}

int main(int count, char **names)
{
    static uint8_t bytes[1 << 16];
    unsigned long most = 0;
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
        fprintf(stderr, "%s\n", names[i]);      /* the last one is to blame */
        work = 0;
        LLVMFuzzerTestOneInput(bytes, size);
        work /= size + 1u;
        if (work > fuzz_work) {
            printf("%s: %lu basic blocks for each of %lu bytes, %lu are promised\n", names[i], work, (unsigned long)size, fuzz_work);
            return 1;
        }
        if (work > most) most = work;
    }
    printf("%d inputs", count - 1);
    if (most != 0) printf(", at most %lu basic blocks a byte", most);
    printf("\n");
    return 0;
}
