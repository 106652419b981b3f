"""The supported recordings: containers, codecs, and limits of sample rate, length and size."""

from __future__ import annotations

from models.sample_rate import RATE_HZ as RATE_HZ

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4_000, 192_000
MAX_LENGTH_S = 4 * 3600.0
MAX_BYTES = 4 * 2**30  # the maximum of a WAV file

# FFmpeg's demuxers. None of these opens another file: playlists, scripts, session descriptions and image sequences are excluded.
DEMUXERS = ("wav", "w64", "mp3", "ogg", "mov", "matroska", "flac", "aac", "amr", "aiff", "au", "caf", "asf", "gsm")

# FFmpeg's decoders, besides those of plain PCM.
CODECS = frozenset(
    {
        "aac", "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "adpcm_yamaha", "alac", "amrnb", "amrwb", "flac", "g722", "g723_1", "g726",
        "g726le", "g729", "gsm", "gsm_ms", "libopencore_amrnb", "libopencore_amrwb", "libopus", "libspeex", "libvorbis", "mp1", "mp1float",
        "mp2", "mp2float", "mp3", "mp3float", "opus", "speex", "truespeech", "vorbis", "wmapro", "wmav1", "wmav2", "wmavoice",
    }
)  # fmt: skip
PCM = (
    "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le",
    "pcm_f32be", "pcm_f64le", "pcm_f64be",
)  # fmt: skip
DECODERS = CODECS.union(PCM)
