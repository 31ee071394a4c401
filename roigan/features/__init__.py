"""The feature networks behind the perceptual loss, FID and KID."""
