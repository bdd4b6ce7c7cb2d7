/* Lines for people, without stdio: that of the C library allocates. %s text; %b bytes, their number (unsigned int) behind the pointer;
   %u unsigned int; %d long; %x unsigned int, eight digits. */
#ifndef TEXT_H
#define TEXT_H

void say(const char *format, ...);               /* a line of the transcript, with the time since the start */
unsigned int text_write(char *to, unsigned int size, const char *format, ...);  /* its length; what finds no room is cut */

#endif
