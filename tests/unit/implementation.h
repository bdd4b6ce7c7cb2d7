/* The whole implementation, for tests of what is public: with IOTHUB_STATIC everything that is declared must be there. */
#include "../../core/api_features.h"
#include "../../core/names.h"
#include "../../core/properties.h"
#include "../../transports/http/proxy.h"
