/* The vectors on ucsim's STM8: address 0x7FFF is the simulator's interface; 'p' and a byte prints it, 's' stops. */

volatile unsigned char __at(0x7FFF) simulator;

void put(int c)
{
    simulator = 'p';
    simulator = (unsigned char)c;
}

void end(void)
{
    simulator = 's';
}
