/* The vectors on ucsim's 8051: external address 0xFFFF is the simulator's interface; 'p' and a byte prints it, 's' stops. */

volatile __xdata __at(0xFFFF) unsigned char simulator;

void put(int c)
{
    simulator = 'p';
    simulator = (unsigned char)c;
}

void end(void)
{
    simulator = 's';
}
