/* The simulation where nobody gives a program its arguments. The matrix compiles its own main as sim_main. */

int sim_main(int count, char **arguments);

int main(void)
{
    static char program[] = "sim", seeds[] = "--seeds", number[] = SIM_LIVES, quiet[] = "--no-table";
    static char *arguments[] = { program, seeds, number, quiet, 0 };
    return sim_main(4, arguments);
}
