/* What every program has, without the client: start-up code and the C library's share of it. */
volatile int sink;

int main(void)
{
    for (;;) {
        sink = 0;
    }
}
