/* The lower-case words and short names that windows.h and its kin (rpc, winerror, wingdi, older compilers) turn into macros; this
   test's own list. The real windows.h of mingw is included beside this one. */

#define small char
#define near
#define far
#define interface struct
#define hyper long
#define pascal
#define cdecl
#define huge
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define IN
#define OUT
#define OPTIONAL
#define ERROR 0
#define NO_ERROR 0L
#define STRICT 1
#define CONST const
#define VOID void
#define TRUE 1
#define FALSE 0
#define IGNORE 0
#define INFINITE 0xFFFFFFFF
#define ABSOLUTE 1
#define RELATIVE 2
#define OPAQUE 2
#define TRANSPARENT 1
#define DELETE 0x00010000L
#define SYNCHRONIZE 0x00100000L
#define DOMAIN 1
#define OVERFLOW 3
#define UNDERFLOW 4
#define GetMessage GetMessageA
#define SendMessage SendMessageA
#define CreateEvent CreateEventA
#define GetObject GetObjectA
#define major(device) ((device) >> 8)
#define minor(device) ((device) & 255)
#define unix 1
#define linux 1
#define I (1i)
#define _B 1
#define _N 2
#define _L 3
