'use strict';

// What the service SDKs know an error by, where the error itself does not say.
const CODE_NAMES = {
  400004: 'ArgumentInvalid', 404103: 'DeviceNotOnline', 404104: 'DeviceConnectionClosedRemotely', 412001: 'PreconditionFailed', 413001: 'RequestEntityTooLarge', 504101: 'GatewayTimeout',
};

// An answer of the service side that is an error. `codeName` is what the service SDKs look at.
class HttpError extends Error {
  constructor(status, errorCode, codeName, message) {
    super(message);
    Object.assign(this, { status, errorCode, codeName });
  }
}

const badRequest = (message) => new HttpError(400, 400004, 'ArgumentInvalid', message);

module.exports = { CODE_NAMES, HttpError, badRequest };
