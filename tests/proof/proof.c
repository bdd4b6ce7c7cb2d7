/* What Frama-C reads: the woven rooms, and what they expect of others. */
#include <stddef.h>
#include <stdint.h>

/* The C library, by the words of the standard; Frama-C's own contracts speak of void. */

/*@ requires size > 0;
    requires \valid(to + (0 .. size - 1)) && \valid_read(from + (0 .. size - 1));
    requires \separated(to + (0 .. size - 1), from + (0 .. size - 1));
    terminates \true;
    assigns to[0 .. size - 1];
*/
void iothub_proof_copy(unsigned char *to, const unsigned char *from, size_t size);

/*@ requires size > 0;
    requires \valid(to + (0 .. size - 1)) && \valid_read(from + (0 .. size - 1));
    requires \separated(to + (0 .. size - 1), from + (0 .. size - 1));
    terminates \true;
    assigns to[0 .. size - 1];
*/
void iothub_proof_copy_text(unsigned char *to, const char *from, size_t size);

struct iothubi_mqtt_parser_tag;
struct iothubi_writer_tag;
void iothub_proof_clear(struct iothubi_mqtt_parser_tag *parser, int byte, size_t size);
void iothub_proof_part(struct iothubi_writer_tag *writer, const void *context);

#define IOTHUB_MEMCPY(to, from, size) iothub_proof_copy(to, from, size)
#define IOTHUB_MEMSET(to, byte, size) iothub_proof_clear(to, byte, size)
#ifdef CONST_APART                               /* constants that are read by their own means, as on an AVR */
#define IOTHUB_CONST const
#define IOTHUB_CONST_BYTE(at) (*(at))
#define IOTHUB_CONST_COPY(to, from, size) iothub_proof_copy_text(to, from, size)
#endif
#define IOTHUB_IMPLEMENTATION
#include "core/text.h"
#include "transports/mqtt/codec.h"

/*@ requires \valid(parser) && byte == 0 && size == sizeof(struct iothubi_mqtt_parser_tag);
    terminates \true;
    assigns *parser;
    ensures parser->phase == 0 && parser->count == 0 && parser->first == 0 && parser->remaining == 0 && parser->value == 0
        && parser->topic_left == 0 && parser->chunk_size == 0;
*/
void iothub_proof_clear(struct iothubi_mqtt_parser_tag *parser, int byte, size_t size);

/*@ requires is_writer(writer);
    terminates \true;
    assigns *writer, writer->bytes[0 .. writer->room - 1];
    ensures is_writer(writer) && is_forward{Pre, Post}(writer);
    ensures writer->length <= counted(\old(writer->length), IOTHUBI_MQTT_LENGTH_MAXIMUM);
*/
void iothub_proof_part(struct iothubi_writer_tag *writer, const void *context);
