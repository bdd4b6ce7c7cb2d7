/* bcc comes without headers; its int has 16 bits. */

#define USHRT_MAX 65535
#define UINT_MAX 65535
