/* The vectors on ucsim's Z80: port 0xFF is the simulator's interface; 'p' and a byte prints it, 's' stops. */

__sfr __at(0xFF) simulator;

void put(int c)
{
    simulator = 'p';
    simulator = (unsigned char)c;
}

void end(void)
{
    simulator = 's';
}
