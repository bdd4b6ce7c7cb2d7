'use strict';
// The kinds of value that switches and faults take. `form` is shown to people; `parse` gives undefined for nonsense.

const number = (least, most) => ({
  form: most === Infinity ? `a number from ${least}` : `a number from ${least} to ${most}`,
  parse: (text) => (/^\d{1,12}$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : undefined),
});

const choice = (...words) => ({
  form: words.join(' or '),
  parse: (text) => (words.includes(text) ? text : undefined),
});

const either = (first, second) => ({
  form: `${first.form}, or ${second.form}`,
  parse: (text) => first.parse(text) ?? second.parse(text),
});

// "N" or "N/S": N messages in S seconds.
const perSeconds = {
  form: 'N or N/S (N messages in S seconds)',
  parse: (text) => {
    const match = /^([1-9]\d{0,8})(?:\/([1-9]\d{0,5}))?$/.exec(text);
    return match ? { messages: Number(match[1]), seconds: Number(match[2] ?? 1) } : undefined;
  },
};

// "CODE" or "CODE/S": an error, with the seconds of its retry-after.
const errorCode = {
  form: 'CODE or CODE/S (an error from 400 to 599, retry-after S seconds)',
  parse: (text) => {
    const match = /^([45]\d\d)(?:\/(\d{1,5}))?$/.exec(text);
    return match ? { status: Number(match[1]), retryAfterS: match[2] === undefined ? undefined : Number(match[2]) } : undefined;
  },
};

const anyText = { form: 'a text', parse: (text) => (text === '' ? undefined : text) };

module.exports = { errorCode, anyText, number, choice, either, perSeconds };
