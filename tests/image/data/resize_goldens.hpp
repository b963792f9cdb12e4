// Written by make_resize_goldens.py with Pillow 9.4.0.
#pragma once

#include <cstdint>

struct ResizeGolden {
    int height, width, channels;
    int to_height, to_width;
    bool bicubic;
    std::uint64_t hash;
};
inline constexpr ResizeGolden kResizeGoldens[] = {
    {17, 13, 1, 17, 13, false, 0x6ADFA23480DD71B4u},
    {17, 13, 1, 17, 13, true, 0x6ADFA23480DD71B4u},
    {17, 13, 3, 17, 13, false, 0x2DC6AEFE588F05F6u},
    {17, 13, 3, 17, 13, true, 0x2DC6AEFE588F05F6u},
    {17, 13, 1, 5, 7, false, 0x04C68D61ACAC6721u},
    {17, 13, 1, 5, 7, true, 0x032CDA320DEEC7A1u},
    {17, 13, 3, 5, 7, false, 0x6D323E44668D7268u},
    {17, 13, 3, 5, 7, true, 0x11CCD7869430510Bu},
    {17, 13, 1, 1, 1, false, 0xAF63F34C860213A1u},
    {17, 13, 1, 1, 1, true, 0xAF63F04C86020E88u},
    {17, 13, 3, 1, 1, false, 0x1AF6841AD4C08D3Du},
    {17, 13, 3, 1, 1, true, 0x1AEC521AD4B7E3C2u},
    {17, 13, 1, 34, 26, false, 0x0751687CA21D798Eu},
    {17, 13, 1, 34, 26, true, 0x54C9EFF253CAC6FFu},
    {17, 13, 3, 34, 26, false, 0xFD50E091297EEAB8u},
    {17, 13, 3, 34, 26, true, 0x0372850A12650701u},
    {17, 13, 1, 40, 9, false, 0xC2A23E73FAF9B79Du},
    {17, 13, 1, 40, 9, true, 0xBDEA31E28394D76Fu},
    {17, 13, 3, 40, 9, false, 0x8FF20D34661A2C7Bu},
    {17, 13, 3, 40, 9, true, 0x92D7E453FDF8AA58u},
    {17, 13, 1, 6, 50, false, 0xE730772302646BD2u},
    {17, 13, 1, 6, 50, true, 0xB786CCD0EAC6A132u},
    {17, 13, 3, 6, 50, false, 0xA1792ACB2017F662u},
    {17, 13, 3, 6, 50, true, 0xEFE7E6759073277Eu},
    {17, 13, 1, 17, 4, false, 0x76540D4726DB494Bu},
    {17, 13, 1, 17, 4, true, 0x6E98D81A246B1F46u},
    {17, 13, 3, 17, 4, false, 0x8C700800C3204330u},
    {17, 13, 3, 17, 4, true, 0x870569360F89A2D4u},
    {17, 13, 1, 3, 13, false, 0xC08A3B6E584B8246u},
    {17, 13, 1, 3, 13, true, 0x693C53F49B7BB5C2u},
    {17, 13, 3, 3, 13, false, 0x447A6CEC8DF811D7u},
    {17, 13, 3, 3, 13, true, 0x0DB260D0F9FE3643u},
    {1, 1, 1, 4, 3, false, 0x20D36FD40017F625u},
    {1, 1, 1, 4, 3, true, 0x20D36FD40017F625u},
    {1, 1, 3, 4, 3, false, 0xD652503CA8DEC4A9u},
    {1, 1, 3, 4, 3, true, 0xD652503CA8DEC4A9u},
    {1, 64, 1, 1, 17, false, 0x47F422CE4E1BC3D1u},
    {1, 64, 1, 1, 17, true, 0xDDE3D11C664AFFE2u},
    {1, 64, 3, 1, 17, false, 0xCDE1D807AE89661Eu},
    {1, 64, 3, 1, 17, true, 0xB3F0EC766E715627u},
    {64, 1, 1, 31, 1, false, 0xBCEACE6640E83E5Eu},
    {64, 1, 1, 31, 1, true, 0x27E1DCA7F6A8C303u},
    {64, 1, 3, 31, 1, false, 0x9F485B2FB737C07Du},
    {64, 1, 3, 31, 1, true, 0xAD4BE0C1ADD4C695u},
    {2, 3, 1, 224, 224, false, 0xC7C398A5F2D766EDu},
    {2, 3, 1, 224, 224, true, 0x8320FF9D46496691u},
    {2, 3, 3, 224, 224, false, 0x6106D08A042050B1u},
    {2, 3, 3, 224, 224, true, 0xA9A5E978031361E4u},
    {150, 201, 1, 96, 128, false, 0x22B08E874AC387A8u},
    {150, 201, 1, 96, 128, true, 0xE0F4A9642F0834F4u},
    {150, 201, 3, 96, 128, false, 0xD6B5DBDF89443B65u},
    {150, 201, 3, 96, 128, true, 0xB57B857D6C77D96Eu},
    {97, 61, 1, 224, 224, false, 0x2D4C14115B7CE5F3u},
    {97, 61, 1, 224, 224, true, 0xFAA7A36DF856FAE1u},
    {97, 61, 3, 224, 224, false, 0x3659F11C12FD449Fu},
    {97, 61, 3, 224, 224, true, 0x455BB3D0CCCC5BE8u},
    {120, 90, 1, 7, 89, false, 0x117FA22205D40783u},
    {120, 90, 1, 7, 89, true, 0x1BAB717026ADFFB0u},
    {120, 90, 3, 7, 89, false, 0xA30938265F12F4ACu},
    {120, 90, 3, 7, 89, true, 0xCBDF5AC4C5F21198u},
};

// 13 x 17 grey noise to 7 x 5 pixels.
inline constexpr std::uint8_t kSmallBilinear[5 * 7] = {
    139, 157, 122, 121, 88, 107, 138, 164, 126, 116, 99,  158, 131, 118, 142, 99,  116, 148,
    139, 129, 124, 136, 84, 141, 117, 119, 127, 141, 128, 111, 93,  90,  119, 164, 151,
};

// 13 x 17 grey noise to 7 x 5 pixels.
inline constexpr std::uint8_t kSmallBicubic[5 * 7] = {
    133, 162, 121, 124, 83, 105, 142, 170, 125, 113, 90,  167, 133, 116, 146, 93,  117, 156,
    138, 128, 117, 139, 72, 152, 119, 114, 126, 145, 130, 114, 87,  86,  119, 173, 151,
};
